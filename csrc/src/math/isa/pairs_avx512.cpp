// Products of bf16 pairs with AVX512-BF16; 24 of 32 registers are sums.
#include <immintrin.h>

#include <algorithm>

#include "math/isa/fetch.hpp"
#include "math/isa/pairs.hpp"
#include "math/kernels.hpp"

namespace zoo::detail {
namespace {

constexpr std::size_t kRows = 6, kPanels = 4;

inline __m512bh bf16_of(__m512i bits) { return std::bit_cast<__m512bh>(bits); }

template <std::size_t kHeight, std::size_t kWidth>
void block(const PairProduct& product, std::size_t i, std::size_t q) {
  __m512 sum[kHeight][kWidth];
  for (auto& row : sum) {
    for (auto& each : row) each = _mm512_setzero_ps();
  }
  const std::size_t pairs = product.pairs, panel = pairs * kPanel;
  for (std::size_t t = product.terms; t-- > 0;) {  // the small ones first
    const std::uint32_t* a = product.a + t * product.a_term + i * product.a_row;
    const std::uint32_t* b = product.b + t * product.b_term + q * panel;
    for (std::size_t p = 0; p < pairs; ++p, a += product.a_pair, b += kPanel) {
      __m512bh columns[kWidth];
      for (std::size_t w = 0; w < kWidth; ++w) {
        columns[w] = bf16_of(_mm512_loadu_si512(b + w * panel));
      }
      for (std::size_t h = 0; h < kHeight; ++h) {
        const __m512bh row = bf16_of(_mm512_set1_epi32(static_cast<int>(a[h * product.a_row])));
        for (std::size_t w = 0; w < kWidth; ++w) {
          sum[h][w] = _mm512_dpbf16_ps(sum[h][w], row, columns[w]);
        }
      }
    }
  }
  for (std::size_t h = 0; h < kHeight; ++h) {
    for (std::size_t w = 0; w < kWidth; ++w) {
      float* c = product.c + (i + h) * product.ldc + (q + w) * kPanel;
      _mm512_storeu_ps(c, product.add ? _mm512_add_ps(_mm512_loadu_ps(c), sum[h][w]) : sum[h][w]);
    }
  }
}

template <std::size_t kWidth>
void columns(const PairProduct& product, std::size_t q) {
  const std::size_t high = (product.rows + kRows - 1) / kRows;
  const std::size_t parts = high * ((product.panels + kPanels - 1) / kPanels);
  std::size_t i = 0, part = q / kPanels * high;
  for (; i + kRows <= product.rows; i += kRows, ++part) {
    fetch(product.ahead, part, parts);
    block<kRows, kWidth>(product, i, q);
  }
  if (i < product.rows) fetch(product.ahead, part, parts);
  switch (product.rows - i) {
    case 5:
      return block<5, kWidth>(product, i, q);
    case 4:
      return block<4, kWidth>(product, i, q);
    case 3:
      return block<3, kWidth>(product, i, q);
    case 2:
      return block<2, kWidth>(product, i, q);
    case 1:
      return block<1, kWidth>(product, i, q);
    default:
      return;
  }
}

void multiply(const PairProduct& product) {
  std::size_t q = 0;
  for (; q + kPanels <= product.panels; q += kPanels) columns<kPanels>(product, q);
  switch (product.panels - q) {
    case 3:
      return columns<3>(product, q);
    case 2:
      return columns<2>(product, q);
    case 1:
      return columns<1>(product, q);
    default:
      return;
  }
}

}  // namespace

const PairKernels kAvx512Pairs = {&multiply, &interleave, &split, 2.0};

}  // namespace zoo::detail
