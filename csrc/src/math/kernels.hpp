// The innermost products, one table per instruction set; raw pointers, checked by nobody.
#pragma once

#include <cstddef>
#include <cstdint>

#include "math/kept.hpp"
#include "math/pairs.hpp"

namespace zoo::detail {

// Both keep one accumulator lane pattern per output whatever the position in a register tile, so
// an output's bits depend on its own row and column alone, never on its neighbours.
template <typename T>
struct TileKernels {
  // out[i * ldo + c] = sum_j x[i][j] * w[c * ldw + j], for i < m and c < k.
  void (*dots)(const T* const* x, std::size_t m, std::size_t d, const T* w, std::size_t ldw,
               std::size_t k, T* out, std::size_t ldo);
  // g[c * ldg + j] += sum_i r[i * ldr + c] * x[i][j], the sum over i < m first, in order. Fetches
  // the m rows of `next` meanwhile, unless it is null: `dots` waits for memory, this computes.
  void (*outer)(const T* const* x, std::size_t m, std::size_t d, const T* r, std::size_t ldr,
                std::size_t k, T* g, std::size_t ldg, const T* const* next);
};

// Logits of some rows in a few columns of a wider tile, to be replaced by what they give.
template <typename T>
struct LogitTile {
  T* values = nullptr;  // rows x columns, `stride` apart
  std::size_t rows = 0;
  std::size_t columns = 0;  // 1: two classes, the score of class 1 over class 0
  std::size_t stride = 0;
  const T* offsets = nullptr;       // (columns), added to the logits first
  const double* weights = nullptr;  // (rows)
  double* sums = nullptr;           // (columns): the results' sums over the rows are added here
};

// The row-wise half of logistic regression. P is the type that probabilities are kept in.
template <typename T, typename P>
struct LossKernel {
  // Logits become weight * (p - onehot(code)); p receives the probabilities, rows x columns, or
  // p (1 - p) where columns is 1, as kept.hpp says. Returns the weighted sum of losses. The
  // exponentials are right to about 2 eps(T); the residual of a row's own class has no
  // cancellation.
  double (*losses)(const LogitTile<T>& tile, const std::uint32_t* codes, P* p);
};

template <typename T, typename P>
struct CurveKernel {
  // Values v become weight * (diag(p) - p p^T) v, p scaled to sum 1; weight * p * v where columns
  // is 1.
  void (*curve)(const LogitTile<T>& tile, const P* p);
};

template <typename T>
struct MomentKernel {
  // sum[j] += sum_i weight_i (x[i][j] - shift[j]) and square[j] += the same of its square.
  void (*moments)(const T* const* x, std::size_t m, std::size_t d, const double* weights,
                  const double* shift, double* sum, double* square);
};

// Stored values as float, every one exact but for int8's product with its scale, which is rounded
// once. f16 and bf16 as their bits.
struct WidenKernels {
  void (*f16)(const std::uint16_t* from, std::size_t count, float* to);
  void (*bf16)(const std::uint16_t* from, std::size_t count, float* to);
  void (*i8)(const std::int8_t* from, float scale, std::size_t count, float* to);
};

struct Kernels {
  const char* name;
  TileKernels<float> f32;
  TileKernels<double> f64;
  LossKernel<float, KeptBits> loss_f32;
  LossKernel<double, KeptBits> loss_mixed;  // f64 arithmetic
  LossKernel<double, double> loss_f64;
  CurveKernel<float, KeptBits> curve_f32;
  CurveKernel<float, KeptBits> curve_bf16;  // results rounded to bf16 before they are summed
  CurveKernel<double, double> curve_f64;
  MomentKernel<float> moments_f32;
  MomentKernel<double> moments_f64;
  WidenKernels widen;
  PairKernels pairs;

  template <typename T>
  [[nodiscard]] const TileKernels<T>& of() const noexcept {
    if constexpr (sizeof(T) == sizeof(float)) {
      return f32;
    } else {
      return f64;
    }
  }
  template <typename T>
  [[nodiscard]] const MomentKernel<T>& moments_of() const noexcept {
    if constexpr (sizeof(T) == sizeof(float)) {
      return moments_f32;
    } else {
      return moments_f64;
    }
  }
};

extern const Kernels kPortableKernels;
extern const PairKernels kPortablePairs;
#ifdef ZOO_HAVE_X86_ISA
extern const Kernels kAvx2Kernels;
extern const Kernels kAvx512Kernels;
#endif
#ifdef ZOO_HAVE_BF16_ISA
extern const PairKernels kAvx512Pairs;
extern const PairKernels kAmxPairs;
// Whether the operating system lets this process use AMX's registers; asks it.
bool amx_granted() noexcept;
#endif
#ifdef ZOO_HAVE_ARM_ISA
extern const Kernels kNeonKernels;
extern const PairKernels kNeonPairs;
#endif

// The widest table that this processor runs, or the one that ZOO_ISA names; probed once.
const Kernels& kernels();

// The named table, or nullptr where this build or processor lacks it.
const Kernels* kernels_named(const char* name) noexcept;

}  // namespace zoo::detail
