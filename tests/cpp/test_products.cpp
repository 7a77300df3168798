// Every instruction set against sums in f64, at every remainder of a register tile.
#include <cmath>
#include <limits>

#include "check.hpp"
#include "math/kernels.hpp"
#include "random_rows.hpp"
#include "zoo/products.hpp"

namespace {

using zoo_test::random_rows;

template <typename T>
void tiles_match_plain_sums(const zoo::detail::Kernels& table, std::size_t m, std::size_t d,
                            std::size_t k) {
  const auto x = random_rows<T>(m * d, 1), w = random_rows<T>(k * d, 2),
             r = random_rows<T>(m * k, 3);
  std::vector<const T*> rows(m);
  for (std::size_t i = 0; i < m; ++i) rows[i] = x.data() + i * d;
  std::vector<T> out(m * k), g(k * d, T{1});
  table.of<T>().dots(rows.data(), m, d, w.data(), d, k, out.data(), k);
  table.of<T>().outer(rows.data(), m, d, r.data(), k, k, g.data(), d,
                      x.empty() ? nullptr : rows.data());
  // Sums of at most 200 products of values below 1.
  const double tolerance = 200.0 * static_cast<double>(std::numeric_limits<T>::epsilon());
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t c = 0; c < k; ++c) {
      double sum = 0.0;
      for (std::size_t j = 0; j < d; ++j) {
        sum += static_cast<double>(x[i * d + j]) * static_cast<double>(w[c * d + j]);
      }
      CHECK(std::abs(static_cast<double>(out[i * k + c]) - sum) <= tolerance);
    }
  }
  for (std::size_t c = 0; c < k; ++c) {
    for (std::size_t j = 0; j < d; ++j) {
      double sum = 1.0;
      for (std::size_t i = 0; i < m; ++i) {
        sum += static_cast<double>(x[i * d + j]) * static_cast<double>(r[i * k + c]);
      }
      CHECK(std::abs(static_cast<double>(g[c * d + j]) - sum) <= tolerance);
    }
  }
}

template <typename T>
void products_do_not_depend_on_threads() {
  const std::size_t n = 1111, d = 37, k = 7;
  const auto x = random_rows<T>(n * d), w = random_rows<T>(k * d), r = random_rows<T>(n * k);
  const auto run = [&](int threads) {
    zoo::Context context;
    context.threads = threads;
    return std::pair(zoo::rows_times<T>(context, {x.data(), n, d, d}, {w.data(), k, d, d}),
                     zoo::rows_combined<T>(context, {r.data(), n, k, k}, {x.data(), n, d, d}));
  };
  const auto one = run(1);
  CHECK(run(2) == one);
  CHECK(run(3) == one);
}

void gram_and_kernel_are_products() {
  const std::size_t n = 130, d = 71;
  const auto x = random_rows<double>(n * d);
  zoo::Context context;
  context.threads = 2;
  const auto g = zoo::gram<double>(context, {x.data(), n, d, d});
  const auto k = zoo::kernel(context, {x.data(), n, d, d});
  for (std::size_t a = 0; a < d; ++a) {
    for (std::size_t b = 0; b < d; ++b) {
      double sum = 0.0;
      for (std::size_t i = 0; i < n; ++i) sum += x[i * d + a] * x[i * d + b];
      CHECK(std::abs(g[a * d + b] - sum) < 1e-12);
      CHECK(g[a * d + b] == g[b * d + a]);
    }
  }
  for (std::size_t a = 0; a < n; ++a) {
    for (std::size_t b = 0; b < n; ++b) {
      double sum = 0.0;
      for (std::size_t j = 0; j < d; ++j) sum += x[a * d + j] * x[b * d + j];
      CHECK(std::abs(k[a * n + b] - sum) < 1e-12);
    }
  }
}

}  // namespace

int main() {
  for (const char* name : {"portable", "avx2", "avx512", "neon"}) {
    const zoo::detail::Kernels* table = zoo::detail::kernels_named(name);
    if (table == nullptr) continue;
    for (const std::size_t m : {0, 1, 3, 4, 9}) {
      for (const std::size_t d : {0, 1, 7, 16, 65, 131}) {
        for (const std::size_t k : {0, 1, 2, 3, 4, 5, 6, 11}) {
          tiles_match_plain_sums<float>(*table, m, d, k);
          tiles_match_plain_sums<double>(*table, m, d, k);
        }
      }
    }
  }
  products_do_not_depend_on_threads<float>();
  products_do_not_depend_on_threads<double>();
  gram_and_kernel_are_products();
  return 0;
}
