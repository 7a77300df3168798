#include "image/kernels.hpp"

#include <string_view>

#include "math/kernels.hpp"

namespace zoo::detail {

const PixelKernels* pixel_kernels_named(const char* name) noexcept {
  const std::string_view wanted(name);
  if (wanted == kPortablePixels.name) return &kPortablePixels;
#ifdef ZOO_HAVE_X86_ISA
  if (wanted == kAvx2Pixels.name && __builtin_cpu_supports("avx2")) return &kAvx2Pixels;
  if (wanted == kVnniPixels.name && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni")) {
    return &kVnniPixels;
  }
#endif
  return nullptr;
}

namespace {

const PixelKernels& probe() {
  const std::string_view others(kernels().name);
  const bool wide = others == "amx" || others.starts_with("avx512");
  for (const char* name : {"vnni", "avx2"}) {
    if (others != name && !wide) continue;
    if (const PixelKernels* found = pixel_kernels_named(name)) return *found;
  }
  return kPortablePixels;
}

}  // namespace

const PixelKernels& pixel_kernels() {
  static const PixelKernels& found = probe();
  return found;
}

}  // namespace zoo::detail
