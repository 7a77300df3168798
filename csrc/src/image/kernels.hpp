// The two passes of a resize, one table per instruction set; raw pointers, checked by nobody.
//
// All sum products of a 22-bit weight and an 8-bit pixel modulo 2^32, so every order of additions
// and every split of the weights gives the same bits.
#pragma once

#include <cstddef>
#include <cstdint>

#include "image/taps.hpp"

namespace zoo::detail {

constexpr std::size_t kSideBySide = 4;   // rows that `across` takes at once
constexpr std::size_t kReadBeyond = 64;  // bytes past a row's last pixel that may be read
constexpr std::size_t kRowAlign = 64;    // `down` reads and writes multiples of it

struct PixelKernels {
  const char* name;
  // Turns int32 weights into what the two passes take, in place.
  void (*pack)(WeightGroup* groups, std::size_t count);
  // Resizes 4 rows of pixels of `channels` bytes (1, 3, 4) to taps.starts.size() pixels of 1 or 3.
  // May write 3 bytes more.
  void (*across)(const std::uint8_t* const* rows, std::size_t channels, const Taps& taps,
                 std::uint8_t* const* out);
  // out[j] = the weighted sum of rows[t][j] over the 4 * count taps t, for j < width.
  void (*down)(const std::uint8_t* const* rows, const WeightGroup* groups, std::size_t count,
               std::size_t width, std::uint8_t* out);
};

extern const PixelKernels kPortablePixels;
#ifdef ZOO_HAVE_X86_ISA
extern const PixelKernels kAvx2Pixels;
extern const PixelKernels kVnniPixels;
#endif

// The widest table that fits what the other kernels run on, so that ZOO_ISA counts here as well.
const PixelKernels& pixel_kernels();

// The named table (portable, avx2, vnni), or nullptr where this build or processor lacks it.
const PixelKernels* pixel_kernels_named(const char* name) noexcept;

}  // namespace zoo::detail
