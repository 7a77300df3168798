#include "heads/logistic/span.hpp"

#include <algorithm>
#include <limits>

#include "math/cholesky.hpp"
#include "math/partition.hpp"
#include "zoo/products.hpp"

namespace zoo::detail {

template <typename T>
std::vector<T> span_coordinates(const Context& context, MatrixView<T> x,
                                const LogisticRows<T>& rows) {
  const std::size_t n = x.rows, d = x.cols;
  std::vector<double> wide(checked_product(n, d));
  for (std::size_t i = 0; i < n; ++i) {
    const T* from = x.row(i);
    for (std::size_t j = 0; j < d; ++j) {
      wide[i * d + j] = (static_cast<double>(from[j]) - rows.mean[j]) * rows.inverse_scale[j];
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

template std::vector<float> span_coordinates(const Context&, MatrixView<float>,
                                             const LogisticRows<float>&);
template std::vector<double> span_coordinates(const Context&, MatrixView<double>,
                                              const LogisticRows<double>&);

}  // namespace zoo::detail
