#include "zoo/neighbours.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "math/kernels.hpp"
#include "math/partition.hpp"
#include "rows/row_reader.hpp"
#include "runtime/parallel.hpp"
#include "zoo/error.hpp"

namespace zoo {
namespace {

constexpr std::size_t kQueryTile = 32;
constexpr std::size_t kTrainTile = 240;

template <typename T>
void widen(MatrixView<T> x, std::size_t begin, std::size_t count, std::vector<double>& out) {
  out.resize(count * x.cols);
  for (std::size_t i = 0; i < count; ++i) {
    const T* row = x.row(begin + i);
    for (std::size_t j = 0; j < x.cols; ++j) out[i * x.cols + j] = static_cast<double>(row[j]);
  }
}

double squared_norm(const double* x, std::size_t d) {
  double sum = 0.0;
  for (std::size_t j = 0; j < d; ++j) sum += x[j] * x[j];
  return sum;
}

}  // namespace

template <typename T>
Neighbours nearest_neighbours(const Context& context, MatrixView<T> train, MatrixView<T> queries,
                              std::size_t wanted) {
  if (train.cols != queries.cols) {
    throw Error(ErrorKind::kInvalid, "queries and training rows differ in columns");
  }
  if (train.rows == 0 || wanted == 0) {
    throw Error(ErrorKind::kInvalid, "neighbours need at least one training row");
  }
  detail::require_finite(context, MemoryRows(train));
  detail::require_finite(context, MemoryRows(queries));
  const std::size_t n = train.rows, d = train.cols, m = queries.rows;
  Neighbours out;
  out.count = std::min(wanted, n);
  out.rows.resize(checked_product(m, out.count));
  out.distances.resize(out.rows.size());
  const auto& tile = detail::kernels().f64;
  parallel_for(context, (m + kQueryTile - 1) / kQueryTile, [&](std::size_t task) {
    const std::size_t begin = task * kQueryTile, count = std::min(kQueryTile, m - begin);
    std::vector<double> q, x, approximate(count * n);
    widen(queries, begin, count, q);
    std::vector<const double*> rows(count);
    std::vector<double> norms(count);
    for (std::size_t i = 0; i < count; ++i) {
      rows[i] = q.data() + i * d;
      norms[i] = squared_norm(rows[i], d);
    }
    double largest = 0.0;
    for (std::size_t t = 0; t < n; t += kTrainTile) {
      const std::size_t width = std::min(kTrainTile, n - t);
      widen(train, t, width, x);
      tile.dots(rows.data(), count, d, x.data(), d, width, approximate.data() + t, n);
      for (std::size_t c = 0; c < width; ++c) {
        const double norm = squared_norm(x.data() + c * d, d);
        largest = std::max(largest, norm);
        for (std::size_t i = 0; i < count; ++i) {
          double& value = approximate[i * n + t + c];
          value = norms[i] + norm - 2.0 * value;
        }
      }
    }
    std::vector<double> order(n);
    std::vector<std::pair<double, std::size_t>> near;
    for (std::size_t i = 0; i < count; ++i) {
      const double* a = approximate.data() + i * n;
      std::copy_n(a, n, order.begin());
      const auto kth = order.begin() + static_cast<std::ptrdiff_t>(out.count - 1);
      std::nth_element(order.begin(), kth, order.end());
      // Twice the error of one product-form distance, on either side of the kth.
      const double slack = 8.0 * (static_cast<double>(d) + 4.0) *
                           std::numeric_limits<double>::epsilon() * (norms[i] + largest);
      near.clear();
      for (std::size_t t = 0; t < n; ++t) {
        if (!(a[t] <= *kth + slack)) continue;
        double sum = 0.0;
        const T* row = train.row(t);
        for (std::size_t j = 0; j < d; ++j) {
          const double gap = rows[i][j] - static_cast<double>(row[j]);
          sum += gap * gap;
        }
        near.emplace_back(sum, t);
      }
      std::sort(near.begin(), near.end());
      for (std::size_t c = 0; c < out.count; ++c) {
        out.rows[(begin + i) * out.count + c] = static_cast<std::int64_t>(near[c].second);
        out.distances[(begin + i) * out.count + c] = near[c].first;
      }
    }
  });
  return out;
}

template Neighbours nearest_neighbours(const Context&, MatrixView<float>, MatrixView<float>,
                                       std::size_t);
template Neighbours nearest_neighbours(const Context&, MatrixView<double>, MatrixView<double>,
                                       std::size_t);

}  // namespace zoo
