#include "math/kernels.hpp"

#ifdef ZOO_HAVE_BF16_ISA
#include <cpuid.h>
#endif
#ifdef ZOO_HAVE_ARM_ISA
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#include <cstdlib>
#include <string>
#include <string_view>

#include "zoo/error.hpp"
#include "zoo/isa.hpp"

namespace zoo {
namespace detail {
namespace {

#if defined(ZOO_HAVE_BF16_ISA) || defined(ZOO_HAVE_ARM_ISA)
// A table and products of bf16 pairs beside its own.
Kernels with_pairs(const Kernels& table, const char* name, const PairKernels& pairs) {
  Kernels out = table;
  out.name = name;
  out.pairs = pairs;
  return out;
}
#endif

#ifdef ZOO_HAVE_BF16_ISA
bool has_bf16() noexcept {
  return __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512bw");
}

bool has_amx() noexcept {
  // CPUID leaf 7: AMX-BF16 and AMX-TILE, which __builtin_cpu_supports does not know everywhere.
  constexpr unsigned kBf16 = 1U << 22U, kTile = 1U << 24U;
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d & kBf16) != 0 && (d & kTile) != 0 &&
         amx_granted();
}
#endif

}  // namespace

const Kernels* kernels_named(const char* name) noexcept {
  const std::string_view wanted(name);
  if (wanted == kPortableKernels.name) return &kPortableKernels;
#ifdef ZOO_HAVE_X86_ISA
  // The compiler's probe also asks the operating system whether it saves the wide registers.
  if (wanted == kAvx2Kernels.name && __builtin_cpu_supports("avx2") &&
      __builtin_cpu_supports("fma")) {
    return &kAvx2Kernels;
  }
  if (wanted == kAvx512Kernels.name && __builtin_cpu_supports("avx512f") &&
      __builtin_cpu_supports("avx512dq")) {
    return &kAvx512Kernels;
  }
#endif
#ifdef ZOO_HAVE_BF16_ISA
  if (wanted == "avx512bf16" && kernels_named("avx512") != nullptr && has_bf16()) {
    static const Kernels table = with_pairs(kAvx512Kernels, "avx512bf16", kAvx512Pairs);
    return &table;
  }
  if (wanted == "amx" && kernels_named("avx512") != nullptr && has_bf16() && has_amx()) {
    static const Kernels table = with_pairs(kAvx512Kernels, "amx", kAmxPairs);
    return &table;
  }
#endif
#ifdef ZOO_HAVE_ARM_ISA
  if (wanted == kNeonKernels.name) return &kNeonKernels;  // all of ARM's 64-bit processors have it
  if (wanted == "neonbf16" && (getauxval(AT_HWCAP2) & HWCAP2_BF16) != 0) {
    static const Kernels table = with_pairs(kNeonKernels, "neonbf16", kNeonPairs);
    return &table;
  }
#endif
  return nullptr;
}

namespace {

const Kernels& probe() {
  if (const char* forced = std::getenv("ZOO_ISA"); forced != nullptr && *forced != '\0') {
    if (const Kernels* found = kernels_named(forced)) return *found;
    throw Error(ErrorKind::kUnavailable,
                "ZOO_ISA=" + std::string(forced) +
                    " can't run here (portable, avx2, avx512, avx512bf16, amx, neon, neonbf16)");
  }
  for (const char* name : {"amx", "avx512bf16", "avx512", "avx2", "neonbf16", "neon"}) {
    if (const Kernels* found = kernels_named(name)) return *found;
  }
  return kPortableKernels;
}

}  // namespace

const Kernels& kernels() {
  static const Kernels& found = probe();
  return found;
}

}  // namespace detail

const char* isa_name() { return detail::kernels().name; }

}  // namespace zoo
