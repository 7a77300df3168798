// Softmax, its residual and its curvature on tiles of logits, compiled per instruction set. Plain
// loops over lanes that the compiler turns into vectors; all of it has internal linkage.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "math/kernels.hpp"

namespace zoo::detail {
namespace {

constexpr std::size_t kGroup = 32;     // rows whose logarithms are taken together
constexpr std::size_t kWidened = 256;  // probabilities widened at a time

// exp(x) for x <= 0, to about 2 eps; below e^-87 (f32) or e^-708 (f64) it stays there. Reduction
// by ln 2 in two parts, then Taylor's polynomial on |r| <= ln(2) / 2 (Cephes' scheme).
inline float exp_negative(float x) {
  x = x > -87.0F ? x : -87.0F;
  const float shifted = x * 1.44269504088896341F + 12582912.0F;  // 1.5 * 2^23: rounds to integer
  const float n = shifted - 12582912.0F;
  const float r = (x - n * 0.693359375F) - n * -2.12194440e-4F;
  float p = 1.9875691500e-4F;
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = (p * r * r + r) + 1.0F;
  return p * std::bit_cast<float>((std::bit_cast<std::uint32_t>(shifted) + 127U) << 23U);
}

inline double exp_negative(double x) {
  x = x > -708.0 ? x : -708.0;
  const double shifted = x * 1.4426950408889634074 + 6755399441055744.0;  // 1.5 * 2^52
  const double n = shifted - 6755399441055744.0;
  const double r = (x - n * 6.93145751953125e-1) - n * 1.42860682030941723212e-6;
  double p = 1.0 / 6227020800.0;
  p = p * r + 1.0 / 479001600.0;
  p = p * r + 1.0 / 39916800.0;
  p = p * r + 1.0 / 3628800.0;
  p = p * r + 1.0 / 362880.0;
  p = p * r + 1.0 / 40320.0;
  p = p * r + 1.0 / 5040.0;
  p = p * r + 1.0 / 720.0;
  p = p * r + 1.0 / 120.0;
  p = p * r + 1.0 / 24.0;
  p = p * r + 1.0 / 6.0;
  p = p * r + 0.5;
  p = (p * r * r + r) + 1.0;
  return p * std::bit_cast<double>((std::bit_cast<std::uint64_t>(shifted) + 1023U) << 52U);
}

// log(1 + v) for v >= 0, to about 2 eps of the result: 1 + v = 2^n m with m around 1, and
// log m = 2 atanh((m - 1) / (m + 1)); where n is 0, m - 1 is v itself and loses no digit.
inline double log1p_positive(double v) {
  constexpr std::uint64_t kRootHalf = 0x3fe6a09e00000000U, kOne = 0x3ff0000000000000U;
  constexpr std::uint64_t kMantissa = 0x000fffffffffffffU;
  const std::uint64_t moved = std::bit_cast<std::uint64_t>(1.0 + v) + (kOne - kRootHalf);
  // The exponent as a double without a conversion: 2^52 + exponent, minus 2^52.
  const double n =
      std::bit_cast<double>(0x4330000000000000U | (moved >> 52U)) - (4503599627370496.0 + 1023.0);
  const double m = std::bit_cast<double>((moved & kMantissa) + kRootHalf);
  const double f = n == 0.0 ? v : m - 1.0;
  const double s = f / (2.0 + f), t = s * s;
  double p = 1.0 / 23.0;
  p = p * t + 1.0 / 21.0;
  p = p * t + 1.0 / 19.0;
  p = p * t + 1.0 / 17.0;
  p = p * t + 1.0 / 15.0;
  p = p * t + 1.0 / 13.0;
  p = p * t + 1.0 / 11.0;
  p = p * t + 1.0 / 9.0;
  p = p * t + 1.0 / 7.0;
  p = p * t + 1.0 / 5.0;
  p = p * t + 1.0 / 3.0;
  return n * 0.693147180559945309417 + 2.0 * (s + s * t * p);
}

// Largest and sum of k values along sixteen fixed lanes.
template <typename T>
inline T largest(const T* z, std::size_t k) {
  T best = z[0];
  std::size_t c = 0;
  if (k >= 16) {
    std::array<T, 16> lane;
    std::copy_n(z, 16, lane.begin());
    for (c = 16; c + 16 <= k; c += 16) {
      for (std::size_t l = 0; l < 16; ++l) lane[l] = z[c + l] > lane[l] ? z[c + l] : lane[l];
    }
    best = *std::max_element(lane.begin(), lane.end());
  }
  for (; c < k; ++c) best = z[c] > best ? z[c] : best;
  return best;
}

template <typename T>
inline T sum_of(const T* z, std::size_t k) {
  std::array<T, 16> lane{};
  std::size_t c = 0;
  for (; c + 16 <= k; c += 16) {
    for (std::size_t l = 0; l < 16; ++l) lane[l] += z[c + l];
  }
  T sum{};
  for (; c < k; ++c) sum += z[c];
  for (std::size_t width = 8; width > 0; width /= 2) {
    for (std::size_t l = 0; l < width; ++l) lane[l] += lane[l + width];
  }
  return sum + lane[0];
}

template <typename T>
inline T dot_of(const T* a, const T* b, std::size_t k) {
  std::array<T, 16> lane{};
  std::size_t c = 0;
  for (; c + 16 <= k; c += 16) {
    for (std::size_t l = 0; l < 16; ++l) lane[l] += a[c + l] * b[c + l];
  }
  T sum{};
  for (; c < k; ++c) sum += a[c] * b[c];
  for (std::size_t width = 8; width > 0; width /= 2) {
    for (std::size_t l = 0; l < width; ++l) lane[l] += lane[l + width];
  }
  return sum + lane[0];
}

template <typename T>
inline void add_to_sums(const T* r, std::size_t k, double* sums) {
  for (std::size_t c = 0; c < k; ++c) sums[c] += static_cast<double>(r[c]);
}

template <typename T, typename P>
double softmax_rows(const LogitTile<T>& tile, const std::uint32_t* codes, P* p) {
  const std::size_t k = tile.columns;
  double loss = 0.0;
  std::array<double, kGroup> rests, gaps;
  for (std::size_t i = 0; i < tile.rows; ++i) {
    T* e = tile.values + i * tile.stride;
    const double weight = tile.weights[i];
    const std::size_t code = codes[i], place = i % kGroup;
    for (std::size_t c = 0; c < k; ++c) e[c] += tile.offsets[c];
    const T top = largest(e, k), own = e[code];
    for (std::size_t c = 0; c < k; ++c) e[c] = exp_negative(e[c] - top);
    const T own_exp = e[code];
    e[code] = T{0};
    const T rest = sum_of(e, k);  // without the own class: its residual does not cancel
    e[code] = own_exp;
    const double total = static_cast<double>(rest) + static_cast<double>(own_exp);
    rests[place] = own_exp == T{1} ? static_cast<double>(rest) : total - 1.0;
    gaps[place] = static_cast<double>(top) - static_cast<double>(own);
    const T scale = static_cast<T>(1.0 / total), mass = static_cast<T>(weight);
    P* to = p + i * k;
    for (std::size_t c = 0; c < k; ++c) {
      const T value = e[c] * scale;
      keep(value, to[c]);
      e[c] = mass * value;
    }
    e[code] = -mass * (rest * scale);
    add_to_sums(e, k, tile.sums);
    if (place + 1 < kGroup && i + 1 < tile.rows) continue;
    for (std::size_t g = 0; g <= place; ++g) rests[g] = log1p_positive(rests[g]);
    for (std::size_t g = 0; g <= place; ++g) {
      loss += tile.weights[i - place + g] * (gaps[g] + rests[g]);
    }
  }
  return loss;
}

// Two classes: p receives p (1 - p).
template <typename T, typename P>
double logistic_rows(const LogitTile<T>& tile, const std::uint32_t* codes, P* p) {
  double loss = 0.0, sum = 0.0;
  std::array<T, kGroup> margin, e;
  std::array<double, kGroup> logs;
  for (std::size_t start = 0; start < tile.rows; start += margin.size()) {
    const std::size_t count = std::min(margin.size(), tile.rows - start);
    T* z = tile.values + start * tile.stride;
    for (std::size_t i = 0; i < count; ++i) {
      const T value = z[i * tile.stride] + tile.offsets[0];
      margin[i] = codes[start + i] == 1 ? value : -value;
    }
    for (std::size_t i = 0; i < count; ++i) {
      const T m = margin[i];
      e[i] = exp_negative(m < T{0} ? m : -m);
    }
    for (std::size_t i = 0; i < count; ++i) logs[i] = log1p_positive(static_cast<double>(e[i]));
    for (std::size_t i = 0; i < count; ++i) {
      const double weight = tile.weights[start + i];
      const T scale = T{1} / (T{1} + e[i]);
      const T other = (margin[i] >= T{0} ? e[i] : T{1}) * scale;  // of the wrong class
      loss += weight * (static_cast<double>(margin[i] < T{0} ? -margin[i] : T{0}) + logs[i]);
      keep(e[i] * scale * scale, p[start + i]);
      const T slope = static_cast<T>(weight) * (codes[start + i] == 1 ? -other : other);
      z[i * tile.stride] = slope;
      sum += static_cast<double>(slope);
    }
  }
  tile.sums[0] += sum;
  return loss;
}

// The logits' first and second derivative in place: values become the weighted residual.
template <typename T, typename P>
double losses(const LogitTile<T>& tile, const std::uint32_t* codes, P* p) {
  return tile.columns == 1 ? logistic_rows(tile, codes, p) : softmax_rows(tile, codes, p);
}

// Values v become weight * (diag(p) - p p^T) v, or weight * p * v for two classes; p as it was
// kept, scaled to sum 1, without which the shift common to all classes would have a curvature.
template <typename T, typename P, bool kRounded = false>
void curve(const LogitTile<T>& tile, const P* p) {
  const std::size_t k = tile.columns;
  std::array<T, kWidened> own;
  for (std::size_t i = 0; i < tile.rows; ++i) {
    T* v = tile.values + i * tile.stride;
    const P* kept_row = p + i * k;
    const T mass = static_cast<T>(tile.weights[i]);
    if (mass == T{0}) {  // what is kept of such a row need not be probabilities
      std::fill_n(v, k, T{0});
      continue;
    }
    for (std::size_t c = 0; c < k; ++c) v[c] += tile.offsets[c];
    T mean{0};
    if (k > 1) {
      T total{0}, sum{0};
      for (std::size_t start = 0; start < k; start += kWidened) {
        const std::size_t count = std::min(kWidened, k - start);
        for (std::size_t c = 0; c < count; ++c) own[c] = kept(kept_row[start + c]);
        total += sum_of(own.data(), count);
        sum += dot_of(own.data(), v + start, count);
      }
      mean = sum / total;
    }
    for (std::size_t c = 0; c < k; ++c) {
      v[c] = mass * kept(kept_row[c]) * (v[c] - mean);
      if constexpr (kRounded) v[c] = std::bit_cast<float>(upper_bf16(v[c]));
    }
    add_to_sums(v, k, tile.sums);
  }
}

template <typename T>
void moments(const T* const* x, std::size_t m, std::size_t d, const double* weights,
             const double* shift, double* sum, double* square) {
  for (std::size_t i = 0; i < m; ++i) {
    const T* row = x[i];
    const double weight = weights[i];
    if (weight == 0.0) continue;
    for (std::size_t j = 0; j < d; ++j) {
      const double gap = static_cast<double>(row[j]) - shift[j];
      sum[j] += weight * gap;
      square[j] += weight * gap * gap;
    }
  }
}

}  // namespace
}  // namespace zoo::detail
