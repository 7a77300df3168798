// The innermost products, one table per instruction set; raw pointers, checked by nobody.
#pragma once

#include <cstddef>

namespace zoo::detail {

// Both keep one accumulator lane pattern per output whatever the position in a register tile, so
// an output's bits depend on its own row and column alone, never on its neighbours.
template <typename T>
struct TileKernels {
  // out[i * ldo + c] = sum_j x[i][j] * w[c * ldw + j], for i < m and c < k.
  void (*dots)(const T* const* x, std::size_t m, std::size_t d, const T* w, std::size_t ldw,
               std::size_t k, T* out, std::size_t ldo);
  // g[c * ldg + j] += sum_i r[i * ldr + c] * x[i][j], the sum over i < m first, in order.
  void (*outer)(const T* const* x, std::size_t m, std::size_t d, const T* r, std::size_t ldr,
                std::size_t k, T* g, std::size_t ldg);
};

struct Kernels {
  const char* name;
  TileKernels<float> f32;
  TileKernels<double> f64;

  template <typename T>
  [[nodiscard]] const TileKernels<T>& of() const noexcept {
    if constexpr (sizeof(T) == sizeof(float)) {
      return f32;
    } else {
      return f64;
    }
  }
};

extern const Kernels kPortableKernels;
#ifdef ZOO_HAVE_X86_ISA
extern const Kernels kAvx2Kernels;
extern const Kernels kAvx512Kernels;
#endif

// The widest table that this processor runs, or the one that ZOO_ISA names; probed once.
const Kernels& kernels();

// The named table, or nullptr where this build or processor lacks it.
const Kernels* kernels_named(const char* name) noexcept;

}  // namespace zoo::detail
