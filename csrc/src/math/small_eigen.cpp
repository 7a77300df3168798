#include "math/small_eigen.hpp"

#include <cmath>

namespace zoo::detail {

SmallEigen small_eigen(std::vector<double> a, std::size_t k) {
  SmallEigen out{std::vector<double>(k), std::vector<double>(k * k)};
  for (std::size_t i = 0; i < k; ++i) out.vectors[i * k + i] = 1.0;
  double total = 0.0;
  for (const double value : a) total += value * value;
  constexpr int kMaxSweeps = 30;
  for (int sweep = 0; sweep < kMaxSweeps; ++sweep) {
    double off = 0.0;
    for (std::size_t p = 0; p < k; ++p) {
      for (std::size_t q = p + 1; q < k; ++q) off += a[p * k + q] * a[p * k + q];
    }
    if (!(off > 1e-30 * total)) break;
    for (std::size_t p = 0; p < k; ++p) {
      for (std::size_t q = p + 1; q < k; ++q) {
        const double apq = a[p * k + q];
        if (apq * apq <= 1e-34 * total) continue;
        const double theta = (a[q * k + q] - a[p * k + p]) / (2.0 * apq);
        const double t = std::copysign(1.0 / (std::abs(theta) + std::hypot(1.0, theta)), theta);
        const double c = 1.0 / std::sqrt(1.0 + t * t), s = t * c;
        for (std::size_t i = 0; i < k; ++i) {
          const double aip = a[i * k + p], aiq = a[i * k + q];
          a[i * k + p] = c * aip - s * aiq;
          a[i * k + q] = s * aip + c * aiq;
          const double vip = out.vectors[i * k + p], viq = out.vectors[i * k + q];
          out.vectors[i * k + p] = c * vip - s * viq;
          out.vectors[i * k + q] = s * vip + c * viq;
        }
        for (std::size_t i = 0; i < k; ++i) {
          const double api = a[p * k + i], aqi = a[q * k + i];
          a[p * k + i] = c * api - s * aqi;
          a[q * k + i] = s * api + c * aqi;
        }
      }
    }
  }
  for (std::size_t i = 0; i < k; ++i) out.values[i] = a[i * k + i];
  return out;
}

}  // namespace zoo::detail
