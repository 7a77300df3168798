// Softmax, residual and curvature of every instruction set against their definitions in f64.
#include <algorithm>
#include <cmath>
#include <limits>

#include "check.hpp"
#include "math/kernels.hpp"
#include "random_rows.hpp"

namespace {

using zoo::detail::LogitTile;

template <typename T>
struct Case {
  std::size_t m, k;
  double scale;
  std::vector<T> z = zoo_test::random_rows<T>(m * (k + 3), 3);
  std::vector<T> offsets = zoo_test::random_rows<T>(k, 4);
  std::vector<double> weights = zoo_test::random_rows<double>(m, 5);
  std::vector<std::uint32_t> codes = std::vector<std::uint32_t>(m);
  std::vector<double> sums = std::vector<double>(k);

  Case(std::size_t rows, std::size_t columns, double spread) : m(rows), k(columns), scale(spread) {
    for (T& value : z) value *= static_cast<T>(spread);
    for (double& value : weights) value = std::abs(value);
    const std::size_t classes = k == 1 ? 2 : k;
    for (std::size_t i = 0; i < m; ++i) {
      codes[i] = static_cast<std::uint32_t>((i * 5 + 1) % classes);
    }
  }
  LogitTile<T> tile() {
    return {z.data(), m, k, k + 3, offsets.data(), weights.data(), sums.data()};
  }
  [[nodiscard]] double logit(const std::vector<T>& from, std::size_t i, std::size_t c) const {
    return static_cast<double>(from[i * (k + 3) + c] + offsets[c]);
  }
};

template <typename T, typename P, typename Losses>
void losses_match(Losses losses, std::size_t m, std::size_t k, double scale) {
  Case<T> given(m, k, scale);
  const auto before = given.z;
  std::vector<P> p(m * k);
  const double loss = losses(given.tile(), given.codes.data(), p.data());
  const double eps = 8.0 * static_cast<double>(std::numeric_limits<T>::epsilon());
  const double eps_p = 8.0 * static_cast<double>(std::numeric_limits<P>::epsilon());
  double expected = 0.0;
  std::vector<double> sums(k);
  for (std::size_t i = 0; i < m; ++i) {
    std::vector<double> z(k == 1 ? 2 : k, 0.0);
    for (std::size_t c = 0; c < k; ++c) z[k == 1 ? 1 : c] = given.logit(before, i, c);
    const double top = *std::max_element(z.begin(), z.end());
    double total = 0.0;
    for (const double value : z) total += std::exp(value - top);
    expected += given.weights[i] * (top + std::log(total) - z[given.codes[i]]);
    for (std::size_t c = 0; c < k; ++c) {
      const std::size_t of = k == 1 ? 1 : c;
      const double q = std::exp(z[of] - top) / total;
      const double y = given.codes[i] == of ? 1.0 : 0.0;
      const double want_p = k == 1 ? q * (1.0 - q) : q;
      CHECK(std::abs(static_cast<double>(p[i * k + c]) - want_p) <= (eps + eps_p) * (1.0 + scale));
      double residual = q - y;
      if (y == 1.0) {
        residual = 0.0;  // the others' sum, which does not cancel
        for (std::size_t e = 0; e < z.size(); ++e) {
          if (e != of) residual -= std::exp(z[e] - top) / total;
        }
      }
      const double got = static_cast<double>(given.z[i * (k + 3) + c]);
      CHECK(std::abs(got - given.weights[i] * residual) <=
            eps * (1.0 + scale) * std::abs(residual) + 1e-30);
      sums[c] += got;
    }
  }
  CHECK(std::abs(loss - expected) <= eps * (1.0 + scale) * static_cast<double>(m));
  for (std::size_t c = 0; c < k; ++c) {
    CHECK(std::abs(given.sums[c] - sums[c]) <= 1e-12 * (1.0 + static_cast<double>(m)));
  }
}

template <typename T, typename Curve>
void curvature_matches(Curve curve, std::size_t m, std::size_t k) {
  Case<T> given(m, k, 1.0);
  const auto before = given.z;
  std::vector<T> p(m * k);
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t c = 0; c < k; ++c) p[i * k + c] = static_cast<T>(1.0 / static_cast<double>(k));
  }
  curve(given.tile(), p.data());
  const double eps = 32.0 * static_cast<double>(std::numeric_limits<T>::epsilon());
  for (std::size_t i = 0; i < m; ++i) {
    double mean = 0.0;
    for (std::size_t c = 0; c < k; ++c) {
      mean += static_cast<double>(p[i * k + c]) * given.logit(before, i, c);
    }
    if (k == 1) mean = 0.0;
    for (std::size_t c = 0; c < k; ++c) {
      const double want =
          given.weights[i] * static_cast<double>(p[i * k + c]) * (given.logit(before, i, c) - mean);
      CHECK(std::abs(static_cast<double>(given.z[i * (k + 3) + c]) - want) <= eps);
    }
  }
}

}  // namespace

int main() {
  for (const char* name : {"portable", "avx2", "avx512"}) {
    const zoo::detail::Kernels* table = zoo::detail::kernels_named(name);
    if (table == nullptr) continue;
    for (const std::size_t m : {1, 5, 70}) {
      for (const std::size_t k : {1, 2, 3, 15, 16, 17, 50}) {
        check_case = std::string(name) + " m " + std::to_string(m) + " k " + std::to_string(k);
        for (const double scale : {1.0, 80.0, 600.0}) {
          losses_match<float, float>(table->loss_f32.losses, m, k, std::min(scale, 80.0));
          losses_match<double, float>(table->loss_mixed.losses, m, k, scale);
          losses_match<double, double>(table->loss_f64.losses, m, k, scale);
        }
        curvature_matches<float>(table->curve_f32.curve, m, k);
        curvature_matches<double>(table->curve_f64.curve, m, k);
      }
    }
  }
  return 0;
}
