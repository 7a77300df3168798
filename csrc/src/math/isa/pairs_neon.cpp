// Products of bf16 pairs with NEON's BFDOT; 16 of 32 registers are sums.
#include <arm_neon.h>

#include "math/isa/fetch.hpp"
#include "math/isa/pairs.hpp"
#include "math/kernels.hpp"

namespace zoo::detail {
namespace {

constexpr std::size_t kRows = 4;
constexpr std::size_t kVectors = kPanel / 4;  // of a panel

inline bfloat16x8_t bf16_of(uint32x4_t bits) { return vreinterpretq_bf16_u32(bits); }

template <std::size_t kHeight>
void block(const PairProduct& product, std::size_t i, std::size_t q) {
  float32x4_t sum[kHeight][kVectors];
  for (auto& row : sum) {
    for (auto& each : row) each = vdupq_n_f32(0.0F);
  }
  for (std::size_t t = product.terms; t-- > 0;) {  // the small ones first
    const std::uint32_t* a = product.a + t * product.a_term + i * product.a_row;
    const std::uint32_t* b = product.b + t * product.b_term + q * product.pairs * kPanel;
    for (std::size_t p = 0; p < product.pairs; ++p, a += product.a_pair, b += kPanel) {
      bfloat16x8_t columns[kVectors];
      for (std::size_t v = 0; v < kVectors; ++v) columns[v] = bf16_of(vld1q_u32(b + 4 * v));
      for (std::size_t h = 0; h < kHeight; ++h) {
        const bfloat16x8_t row = bf16_of(vdupq_n_u32(a[h * product.a_row]));
        for (std::size_t v = 0; v < kVectors; ++v) {
          sum[h][v] = vbfdotq_f32(sum[h][v], row, columns[v]);
        }
      }
    }
  }
  for (std::size_t h = 0; h < kHeight; ++h) {
    float* c = product.c + (i + h) * product.ldc + q * kPanel;
    for (std::size_t v = 0; v < kVectors; ++v, c += 4) {
      vst1q_f32(c, product.add ? vaddq_f32(vld1q_f32(c), sum[h][v]) : sum[h][v]);
    }
  }
}

void multiply(const PairProduct& product) {
  const std::size_t high = (product.rows + kRows - 1) / kRows, parts = high * product.panels;
  std::size_t part = 0;
  for (std::size_t q = 0; q < product.panels; ++q) {
    std::size_t i = 0;
    for (; i + kRows <= product.rows; i += kRows, ++part) {
      fetch(product.ahead, part, parts);
      block<kRows>(product, i, q);
    }
    if (i == product.rows) continue;
    fetch(product.ahead, part++, parts);
    switch (product.rows - i) {
      case 3:
        block<3>(product, i, q);
        break;
      case 2:
        block<2>(product, i, q);
        break;
      default:
        block<1>(product, i, q);
        break;
    }
  }
}

}  // namespace

const PairKernels kNeonPairs = {&multiply, &interleave, &split, 2.0};

}  // namespace zoo::detail
