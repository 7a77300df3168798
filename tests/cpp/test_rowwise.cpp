// Softmax, residual and curvature of every instruction set against their definitions in f64.
#include <algorithm>
#include <cmath>
#include <limits>

#include "check.hpp"
#include "math/kernels.hpp"
#include "random_rows.hpp"

namespace {

using zoo::detail::KeptBits;
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
  // Kept in two bytes: to 2^-8 of p and of 1 - p; p itself is right to a few eps before.
  const double kept_eps = sizeof(P) == sizeof(zoo::detail::KeptBits) ? 0x1p-8 : 0.0;
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
      const double got_p = static_cast<double>(zoo::detail::kept(p[i * k + c]));
      // What is kept is read as a float.
      const double room = eps * (1.0 + scale) + (kept_eps > 0.0 ? 0x1p-24 : 0.0);
      CHECK(std::abs(got_p - want_p) <= room + kept_eps * std::min(want_p, 1.0 - want_p));
      const double rest = zoo::detail::kept_rest(p[i * k + c]);
      CHECK(std::abs(rest - (1.0 - want_p)) <= room + kept_eps * (1.0 - want_p));
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

// The kernel against the kept probabilities as they are, and the curvature along the logits against
// that of the exact ones: no further off than two bytes a probability allow, however sure a row is.
template <typename T, typename P, typename Curve>
void curvature_matches(Curve curve, std::size_t m, std::size_t k, double sureness,
                       double rounding) {
  Case<T> given(m, k, 1.0);
  const auto before = given.z;
  std::vector<P> p(m * k);
  std::vector<double> exact(m * k);
  for (std::size_t i = 0; i < m; ++i) {
    double total = 0.0;
    for (std::size_t c = 0; c < k; ++c) {
      const double tilt = static_cast<double>((i * 7 + c * 3) % 11) / 11.0;
      total += exact[i * k + c] = std::exp(sureness * tilt);
    }
    for (std::size_t c = 0; c < k; ++c) {
      exact[i * k + c] = k == 1 ? 0.2 : exact[i * k + c] / total;
      if constexpr (sizeof(P) == sizeof(zoo::detail::KeptBits)) {
        zoo::detail::keep(exact[i * k + c], p[i * k + c]);
      } else {
        zoo::detail::keep(static_cast<T>(exact[i * k + c]), p[i * k + c]);
      }
    }
  }
  curve(given.tile(), p.data());
  const double eps = 32.0 * static_cast<double>(std::numeric_limits<T>::epsilon());
  const double kept = sizeof(P) == sizeof(zoo::detail::KeptBits) ? zoo::detail::kKeptError : 0.0;
  for (std::size_t i = 0; i < m; ++i) {
    double mean = 0.0, total = 0.0, true_mean = 0.0;
    for (std::size_t c = 0; c < k; ++c) {
      const double q = static_cast<double>(zoo::detail::kept(p[i * k + c]));
      total += q;
      mean += q * given.logit(before, i, c);
      true_mean += exact[i * k + c] * given.logit(before, i, c);
    }
    mean = k == 1 ? 0.0 : mean / total;
    if (k == 1) true_mean = 0.0;
    double along = 0.0, wanted = 0.0;
    for (std::size_t c = 0; c < k; ++c) {
      const double gap = given.logit(before, i, c) - mean;
      const double q = static_cast<double>(zoo::detail::kept(p[i * k + c]));
      const double got = static_cast<double>(given.z[i * (k + 3) + c]);
      CHECK(std::abs(got - given.weights[i] * q * gap) <= (eps + rounding * std::abs(gap)) * q);
      along += got * gap;
      const double true_gap = given.logit(before, i, c) - true_mean;
      wanted += given.weights[i] * exact[i * k + c] * true_gap * true_gap;
    }
    CHECK(std::abs(along - wanted) <= (kept + rounding) * std::abs(wanted) + 4.0 * eps);
  }
}

}  // namespace

int main() {
  for (const char* name : {"portable", "avx2", "avx512", "neon"}) {
    const zoo::detail::Kernels* table = zoo::detail::kernels_named(name);
    if (table == nullptr) continue;
    for (const std::size_t m : {1, 5, 70}) {
      for (const std::size_t k : {1, 2, 3, 15, 16, 17, 50}) {
        check_case = std::string(name) + " m " + std::to_string(m) + " k " + std::to_string(k);
        for (const double scale : {1.0, 80.0, 600.0}) {
          losses_match<float, KeptBits>(table->loss_f32.losses, m, k, std::min(scale, 80.0));
          losses_match<double, KeptBits>(table->loss_mixed.losses, m, k, scale);
          losses_match<double, double>(table->loss_f64.losses, m, k, scale);
        }
        for (const double sureness : {0.0, 3.0, 40.0}) {
          curvature_matches<float, KeptBits>(table->curve_f32.curve, m, k, sureness, 0.0);
          curvature_matches<float, KeptBits>(table->curve_bf16.curve, m, k, sureness, 0x1p-8);
          curvature_matches<double, double>(table->curve_f64.curve, m, k, sureness, 0.0);
        }
      }
    }
  }
  return 0;
}
