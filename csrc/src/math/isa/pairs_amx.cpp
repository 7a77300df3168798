// Products of bf16 pairs with AMX, where the kernel grants its registers.
#include <sys/syscall.h>
#include <unistd.h>

#include "math/isa/amx_tiles.hpp"
#include "math/isa/pairs.hpp"
#include "math/kernels.hpp"

namespace zoo::detail {
namespace {

// Intel's layout of what LDTILECFG reads.
struct alignas(64) TileConfig {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t bytes_a_row[16] = {};
  std::uint8_t rows[16] = {};
};
static_assert(sizeof(TileConfig) == 64);

// The processor's eight tiles, all of 16 rows of 64 bytes. Assembly and not intrinsics: GCC's take
// no template argument for a tile, and tell the compiler of 8 of the 64 bytes that LDTILECFG reads.
class ProcessorTiles {
 public:
  ProcessorTiles() {
    TileConfig config;
    for (int tile = 0; tile < 8; ++tile) {
      config.bytes_a_row[tile] = 64;
      config.rows[tile] = 16;
    }
    asm volatile("ldtilecfg %0" : : "m"(config));
  }
  ~ProcessorTiles() { asm volatile("tilerelease"); }
  ProcessorTiles(const ProcessorTiles&) = delete;
  ProcessorTiles& operator=(const ProcessorTiles&) = delete;

  template <int kTile>
  static void zero() {
    asm volatile("tilezero %%tmm%c0" : : "i"(kTile));
  }
  template <int kTile>
  static void load(const void* from, std::size_t stride) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(from), "r"(stride), "i"(kTile) : "memory");
  }
  template <int kTile>
  static void store(void* to, std::size_t stride) {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(to), "r"(stride), "i"(kTile) : "memory");
  }
  template <int kSum, int kA, int kB>
  static void multiply() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSum), "i"(kA), "i"(kB));
  }
};

void multiply(const PairProduct& product) { TileProduct<ProcessorTiles>(product).run(); }

}  // namespace

const PairKernels kAmxPairs = {&multiply, &interleave, &split, 6.0};

bool amx_granted() noexcept {
  // Linux saves the tiles only for processes that asked (arch/x86/include/uapi/asm/prctl.h); asking
  // again does no harm. Threads that run already are covered too.
  constexpr long kRequest = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kRequest, kTileData) == 0;
}

}  // namespace zoo::detail
