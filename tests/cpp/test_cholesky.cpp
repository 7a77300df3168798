// Factors and solutions against the matrix itself, at every remainder of a block.
#include <cmath>
#include <limits>

#include "check.hpp"
#include "math/cholesky.hpp"
#include "random_rows.hpp"
#include "zoo/products.hpp"

namespace {

// X^T X / n + I / 10 of random rows.
std::vector<double> matrix_of(std::size_t d) {
  const std::size_t n = d + 5;
  const auto x = zoo_test::random_rows<double>(n * d);
  auto a = zoo::gram<double>(zoo::Context{}, {x.data(), n, d, d});
  for (double& value : a) value /= static_cast<double>(n);
  for (std::size_t j = 0; j < d; ++j) a[j * d + j] += 0.1;
  return a;
}

template <typename T>
void solutions_solve(std::size_t d) {
  const auto a = matrix_of(d);
  auto work = a;
  zoo::detail::Cholesky<T> factor;
  zoo::Context context;
  context.threads = 2;
  CHECK(factor.factor(context, work, d));
  const std::size_t m = 3, stride = d + 2;
  const auto b = zoo_test::random_rows<T>(m * stride, 7);
  auto x = b;
  factor.solve(x.data(), m, stride);
  const double tolerance = 1e3 * static_cast<double>(std::numeric_limits<T>::epsilon());
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t r = 0; r < d; ++r) {
      double sum = 0.0;
      for (std::size_t c = 0; c < d; ++c) {
        sum += a[r * d + c] * static_cast<double>(x[i * stride + c]);
      }
      CHECK(std::abs(sum - static_cast<double>(b[i * stride + r])) < tolerance);
    }
    CHECK(x[i * stride + d] == b[i * stride + d]);  // beyond the row
  }
}

void the_lower_triangle_is_the_factor() {
  const std::size_t d = 101;
  const auto a = matrix_of(d);
  auto l = a;
  zoo::detail::Cholesky<double> factor;
  CHECK(factor.factor(zoo::Context{}, l, d));
  for (std::size_t i = 0; i < d; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = 0.0;
      for (std::size_t c = 0; c <= j; ++c) sum += l[i * d + c] * l[j * d + c];
      CHECK(std::abs(sum - a[i * d + j]) < 1e-13);
    }
  }
}

void what_is_not_positive_definite_is_told() {
  for (const double bad : {0.0, -1.0, std::nan("")}) {
    auto a = matrix_of(60);
    a[55 * 60 + 55] = bad;
    zoo::detail::Cholesky<float> factor;
    CHECK(!factor.factor(zoo::Context{}, a, 60));
    CHECK(factor.empty());
  }
}

}  // namespace

int main() {
  for (const std::size_t d : {1, 2, 47, 48, 49, 96, 200, 250}) {
    solutions_solve<float>(d);
    solutions_solve<double>(d);
  }
  the_lower_triangle_is_the_factor();
  what_is_not_positive_definite_is_told();
  return 0;
}
