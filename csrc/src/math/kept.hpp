// How the passes of a fit keep probabilities: two bytes each where rows are computed in f32.
#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

namespace zoo::detail {

// bf16's bits of p, or of p - 1 where p is above a half: so p and 1 - p are both right to 2^-8 of
// themselves. A curvature sum_j p_j (v_j - mean)^2 is the least over all shifts of such a sum, so
// keeping p like this changes no curvature by more than a factor of 1 +- 2^-8.
using KeptBits = std::uint16_t;

template <typename T>
using Kept = std::conditional_t<sizeof(T) == sizeof(float), KeptBits, T>;

inline constexpr double kKeptError = 0x1p-8;  // of a curvature

inline std::uint32_t upper_bf16(float value) {  // to the nearest, ties to even; the lower half is 0
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return (bits + 0x7FFFU + ((bits >> 16U) & 1U)) & 0xFFFF0000U;
}

inline void keep(float p, KeptBits& to) {
  to = static_cast<KeptBits>(upper_bf16(p > 0.5F ? p - 1.0F : p) >> 16U);
  // p = 1 leaves +0, which has to say so by its sign.
  to = static_cast<KeptBits>(to | (p > 0.5F ? 0x8000U : 0U));
}
inline void keep(double p, double& to) { to = p; }
inline void keep(double p, KeptBits& to) {
  keep(static_cast<float>(p > 0.5 ? p - 1.0 : p), to);
  to = static_cast<KeptBits>(to | (p > 0.5 ? 0x8000U : 0U));
}

inline float kept(KeptBits bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16U) +
         static_cast<float>(bits >> 15U);
}
inline double kept(double p) { return p; }

// 1 - p without cancellation.
inline double kept_rest(KeptBits bits) {
  const auto value =
      static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16U));
  return bits >> 15U != 0 ? -value : 1.0 - value;
}
inline double kept_rest(double p) { return 1.0 - p; }

}  // namespace zoo::detail
