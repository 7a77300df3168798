// Products of bf16 matrices as pairs: what processors with bf16 instructions multiply, in the one
// layout that all of them take.
#pragma once

#include <cstddef>
#include <cstdint>

namespace zoo::detail {

inline constexpr std::size_t kPanel = 16;     // columns that lie beside each other
inline constexpr std::size_t kPairStep = 16;  // pairs come in multiples of it: 32 values
inline constexpr std::size_t kMostTerms = 3;

// A pair is two neighbours along the summed axis, the first in the lower half of 32 bits. A float
// operand is a sum of up to three bf16 terms, each the rounded rest of those before it: relative
// errors of 2^-8, 2^-16 and 2^-24 of each value, or 2^-126 where that is more (subnormal terms are
// taken as zero).
//
// c[i * ldc + 16 * q + l] (+)= sum over terms t and pairs p of a(t, i, p) . b(t, q, p, l), for
// i < rows, q < panels, l < 16, with
//   a(t, i, p) at a[t * a_term + i * a_row + p * a_pair],
//   b(t, q, p, l) at b[t * b_term + (q * pairs + p) * 16 + l].
// Sums are f32; each output's order of additions depends on pairs and terms alone, so its bits do
// not depend on its neighbours. Their error is at most (2 * pairs * terms + 2) 2^-24 of the sum of
// the absolute products, added to that of the operands.
// Rows of memory that are wanted next: to be fetched into cache by the way.
struct RowsAhead {
  const std::byte* const* rows = nullptr;
  std::size_t count = 0, bytes = 0;  // bytes of each
};

struct PairProduct {
  const std::uint32_t* a = nullptr;
  std::size_t a_row = 0, a_pair = 1, a_term = 0;  // a_term 0: the same for all terms
  const std::uint32_t* b = nullptr;
  std::size_t b_term = 0;
  std::size_t rows = 0, panels = 0, pairs = 0, terms = 1;
  float* c = nullptr;
  std::size_t ldc = 0;
  bool add = false;
  RowsAhead ahead;
};

struct PairKernels {
  // nullptr where bf16 products are no faster here than f32's.
  void (*multiply)(const PairProduct& product) = nullptr;
  // Rows of bf16 bits (count of d values, count even) as b over the rows: panel q holds columns
  // 16 q to 16 q + 15, zero from d on, pair p rows 2 p and 2 p + 1.
  void (*interleave)(const std::uint16_t* const* rows, std::size_t count, std::size_t d,
                     std::uint32_t* to) = nullptr;
  // Floats (count even rows, `stride` apart, k columns) in terms, as a over the rows: the pair of
  // rows 2 p and 2 p + 1 in column c at to[t * term + p * k + c].
  void (*split)(const float* from, std::size_t count, std::size_t k, std::size_t stride,
                std::size_t terms, std::size_t term, std::uint32_t* to) = nullptr;
  double rate = 0.0;  // of one term over the f32 products, as the instructions promise
};

// Columns of floats (k of d values, `stride` apart) in terms, as b over their values: panel q holds
// columns 16 q to 16 q + 15, zero from k on. `to` has terms * panels * pairs * 16, with pairs the
// multiple of kPairStep that d needs.
void pack_columns(const float* from, std::size_t d, std::size_t k, std::size_t stride,
                  std::size_t terms, std::uint32_t* to);

[[nodiscard]] inline std::size_t panels_of(std::size_t columns) noexcept {
  return (columns + kPanel - 1) / kPanel;
}
[[nodiscard]] inline std::size_t pairs_of(std::size_t values) noexcept {
  return (values + 2 * kPairStep - 1) / (2 * kPairStep) * kPairStep;
}

}  // namespace zoo::detail
