// Layouts of bf16 pairs, compiled per instruction set; loops that the compiler vectorises.
#pragma once

#if defined(__AVX512BW__)
#include <immintrin.h>
#endif

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "math/kept.hpp"
#include "math/pairs.hpp"

namespace zoo::detail {
namespace {

#if defined(__AVX512BW__)
// Picks values `from` to `from + 15` of two vectors in turn.
inline __m512i pairs_from(std::uint16_t from) {
  std::uint16_t places[32];
  for (std::uint16_t l = 0; l < 16; ++l) {
    places[2 * l] = static_cast<std::uint16_t>(from + l);
    places[2 * l + 1] = static_cast<std::uint16_t>(32 + from + l);
  }
  return _mm512_loadu_si512(places);
}
#endif

// Panel by panel: pairs that lie in one panel are written one after the other.
void interleave(const std::uint16_t* const* rows, std::size_t count, std::size_t d,
                std::uint32_t* to) {
  const std::size_t pairs = count / 2, panels = panels_of(d);
  std::size_t q = 0;
#if defined(__AVX512BW__)
  const __m512i lower = pairs_from(0), upper = pairs_from(kPanel);
  for (; (q + 2) * kPanel <= d; q += 2) {
    std::uint32_t* out = to + q * pairs * kPanel;
    for (std::size_t p = 0; p < pairs; ++p, out += kPanel) {
      const __m512i a = _mm512_loadu_si512(rows[2 * p] + q * kPanel);
      const __m512i b = _mm512_loadu_si512(rows[2 * p + 1] + q * kPanel);
      _mm512_storeu_si512(out, _mm512_permutex2var_epi16(a, lower, b));
      _mm512_storeu_si512(out + pairs * kPanel, _mm512_permutex2var_epi16(a, upper, b));
    }
  }
#endif
  for (; q < panels; ++q) {
    const std::size_t begin = q * kPanel, width = std::min(kPanel, d - begin);
    std::uint32_t* out = to + q * pairs * kPanel;
    for (std::size_t p = 0; p < pairs; ++p, out += kPanel) {
      const std::uint16_t *first = rows[2 * p] + begin, *second = rows[2 * p + 1] + begin;
      for (std::size_t l = 0; l < width; ++l) {
        out[l] = first[l] | static_cast<std::uint32_t>(second[l]) << 16U;
      }
      for (std::size_t l = width; l < kPanel; ++l) out[l] = 0;
    }
  }
}

template <std::size_t kTerms>
void split_into(const float* from, std::size_t count, std::size_t k, std::size_t stride,
                std::size_t term, std::uint32_t* to) {
  for (std::size_t p = 0; p < count / 2; ++p) {
    const float *first = from + 2 * p * stride, *second = first + stride;
    std::uint32_t* out = to + p * k;
    for (std::size_t c = 0; c < k; ++c) {
      float x = first[c], y = second[c];
      for (std::size_t t = 0; t < kTerms; ++t) {
        const std::uint32_t a = upper_bf16(x), b = upper_bf16(y);
        out[t * term + c] = a >> 16U | b;
        x -= std::bit_cast<float>(a);
        y -= std::bit_cast<float>(b);
      }
    }
  }
}

void split(const float* from, std::size_t count, std::size_t k, std::size_t stride,
           std::size_t terms, std::size_t term, std::uint32_t* to) {
  switch (terms) {
    case 1:
      return split_into<1>(from, count, k, stride, term, to);
    case 2:
      return split_into<2>(from, count, k, stride, term, to);
    default:
      return split_into<kMostTerms>(from, count, k, stride, term, to);
  }
}

}  // namespace
}  // namespace zoo::detail
