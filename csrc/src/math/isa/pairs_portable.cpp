// Products of bf16 pairs in plain C++: what the others are tested against, too slow to serve.
#include "math/isa/pairs.hpp"
#include "math/kernels.hpp"

namespace zoo::detail {
namespace {

float low(std::uint32_t pair) { return std::bit_cast<float>(pair << 16U); }
float high(std::uint32_t pair) { return std::bit_cast<float>(pair & 0xFFFF0000U); }

void multiply(const PairProduct& product) {
  for (std::size_t i = 0; i < product.rows; ++i) {
    for (std::size_t q = 0; q < product.panels; ++q) {
      float sum[kPanel] = {};
      for (std::size_t t = product.terms; t-- > 0;) {  // the small ones first
        const std::uint32_t* a = product.a + t * product.a_term + i * product.a_row;
        const std::uint32_t* b = product.b + t * product.b_term + q * product.pairs * kPanel;
        for (std::size_t p = 0; p < product.pairs; ++p, a += product.a_pair, b += kPanel) {
          for (std::size_t l = 0; l < kPanel; ++l) {
            sum[l] += low(*a) * low(b[l]);
            sum[l] += high(*a) * high(b[l]);
          }
        }
      }
      float* c = product.c + i * product.ldc + q * kPanel;
      for (std::size_t l = 0; l < kPanel; ++l) c[l] = product.add ? c[l] + sum[l] : sum[l];
    }
  }
}

}  // namespace

const PairKernels kPortablePairs = {&multiply, &interleave, &split, 0.0};

}  // namespace zoo::detail
