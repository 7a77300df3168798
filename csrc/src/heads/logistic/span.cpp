#include "heads/logistic/span.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

#include "math/cholesky.hpp"
#include "math/partition.hpp"
#include "rows/row_reader.hpp"
#include "zoo/products.hpp"

namespace zoo::detail {

template <typename T>
std::vector<T> span_coordinates(const Context& context, const LogisticRows& rows) {
  const std::size_t n = rows.source->rows(), d = rows.d;
  std::vector<double> wide(checked_product(n, d));
  std::vector<std::size_t> numbers(n);
  std::iota(numbers.begin(), numbers.end(), std::size_t{0});
  RowReader<double> reader(*rows.source, numbers);
  for (std::size_t i = 0; i < n; ++i) {
    const double* from = reader.rows(i, 1)[0];
    for (std::size_t j = 0; j < d; ++j) {
      wide[i * d + j] = (from[j] - rows.mean[j]) * rows.inverse_scale[j];
    }
  }
  const std::vector<double> products = kernel(context, {wide.data(), n, d, d});
  double trace = 0.0;
  for (std::size_t i = 0; i < n; ++i) trace += products[i * n + i];
  double ridge =
      1e-12 * std::max(trace / static_cast<double>(n), std::numeric_limits<double>::min());
  std::vector<double> triangle;
  Cholesky<double> factor;
  for (int attempt = 0; attempt < 12; ++attempt, ridge *= 10.0) {
    triangle = products;
    for (std::size_t i = 0; i < n; ++i) triangle[i * n + i] += ridge;
    if (factor.factor(context, triangle, n)) break;
  }
  std::vector<T> out(n * n);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j <= i; ++j) out[i * n + j] = static_cast<T>(triangle[i * n + j]);
  }
  return out;
}

template std::vector<float> span_coordinates(const Context&, const LogisticRows&);
template std::vector<double> span_coordinates(const Context&, const LogisticRows&);

}  // namespace zoo::detail
