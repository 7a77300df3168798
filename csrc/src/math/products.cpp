#include "zoo/products.hpp"

#include <algorithm>

#include "math/kernels.hpp"
#include "math/partition.hpp"
#include "runtime/parallel.hpp"
#include "zoo/error.hpp"

namespace zoo {
namespace {

constexpr std::size_t kRowTile = 64;     // rows kept in cache while the columns pass
constexpr std::size_t kColumnTile = 60;  // a multiple of every register tile's 3, 4 and 5 columns

template <typename T>
std::vector<const T*> row_pointers(MatrixView<T> x) {
  std::vector<const T*> rows(x.rows);
  for (std::size_t i = 0; i < x.rows; ++i) rows[i] = x.row(i);
  return rows;
}

}  // namespace

template <typename T>
std::vector<T> rows_times(const Context& context, MatrixView<T> x, MatrixView<T> w) {
  if (x.cols != w.cols) throw Error(ErrorKind::kInvalid, "rows and weights differ in columns");
  std::vector<T> out(checked_product(x.rows, w.rows));
  const auto rows = row_pointers(x);
  const auto& tile = detail::kernels().of<T>();
  parallel_for(context, (x.rows + kRowTile - 1) / kRowTile, [&](std::size_t task) {
    const std::size_t begin = task * kRowTile;
    const std::size_t count = std::min(kRowTile, x.rows - begin);
    tile.dots(rows.data() + begin, count, x.cols, w.data, w.stride, w.rows,
              out.data() + begin * w.rows, w.rows);
  });
  return out;
}

template <typename T>
std::vector<double> rows_combined(const Context& context, MatrixView<T> r, MatrixView<T> x) {
  if (r.rows != x.rows) throw Error(ErrorKind::kInvalid, "the two matrices differ in rows");
  const std::size_t size = checked_product(r.cols, x.cols);
  const Partition blocks(x.rows, kRowTile, kReductionBlocks);
  std::vector<T> parts(checked_product(size, blocks.count()));
  const auto rows = row_pointers(x);
  const auto& tile = detail::kernels().of<T>();
  parallel_for(context, blocks.count(), [&](std::size_t b) {
    for (std::size_t i = blocks.begin(b); i < blocks.end(b); i += kRowTile) {
      const std::size_t count = std::min(kRowTile, blocks.end(b) - i);
      tile.outer(rows.data() + i, count, x.cols, r.row(i), r.stride, r.cols,
                 parts.data() + b * size, x.cols, nullptr);
    }
  });
  std::vector<double> out(size);
  for (std::size_t b = 0; b < blocks.count(); ++b) {
    for (std::size_t i = 0; i < size; ++i) out[i] += static_cast<double>(parts[b * size + i]);
  }
  return out;
}

template <typename T>
std::vector<double> gram(const Context& context, MatrixView<T> x) {
  const std::size_t d = x.cols;
  std::vector<T> out(checked_product(d, d));
  const auto rows = row_pointers(x);
  const auto& tile = detail::kernels().of<T>();
  // A task owns a band of the result from the diagonal on, so there is nothing to reduce.
  parallel_for(context, (d + kColumnTile - 1) / kColumnTile, [&](std::size_t band) {
    const std::size_t c = band * kColumnTile;
    const std::size_t width = std::min(kColumnTile, d - c);
    std::vector<const T*> shifted(kRowTile);
    for (std::size_t i = 0; i < x.rows; i += kRowTile) {
      const std::size_t count = std::min(kRowTile, x.rows - i);
      for (std::size_t t = 0; t < count; ++t) shifted[t] = rows[i + t] + c;
      tile.outer(shifted.data(), count, d - c, x.row(i) + c, x.stride, width,
                 out.data() + c * d + c, d, nullptr);
    }
  });
  for (std::size_t i = 0; i < d; ++i) {
    for (std::size_t j = 0; j < i; ++j) out[i * d + j] = out[j * d + i];
  }
  return {out.begin(), out.end()};
}

std::vector<double> kernel(const Context& context, MatrixView<double> x) {
  const std::size_t n = x.rows;
  std::vector<double> out(checked_product(n, n));
  const auto rows = row_pointers(x);
  const auto& tile = detail::kernels().f64;
  parallel_for(context, (n + kRowTile - 1) / kRowTile, [&](std::size_t band) {
    const std::size_t i = band * kRowTile;
    const std::size_t count = std::min(kRowTile, n - i);
    for (std::size_t c = i; c < n; c += kColumnTile) {
      tile.dots(rows.data() + i, count, x.cols, x.row(c), x.stride, std::min(kColumnTile, n - c),
                out.data() + i * n + c, n);
    }
  });
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < i; ++j) out[i * n + j] = out[j * n + i];
  }
  return out;
}

template std::vector<float> rows_times(const Context&, MatrixView<float>, MatrixView<float>);
template std::vector<double> rows_times(const Context&, MatrixView<double>, MatrixView<double>);
template std::vector<double> rows_combined(const Context&, MatrixView<float>, MatrixView<float>);
template std::vector<double> rows_combined(const Context&, MatrixView<double>, MatrixView<double>);
template std::vector<double> gram(const Context&, MatrixView<float>);
template std::vector<double> gram(const Context&, MatrixView<double>);

}  // namespace zoo
