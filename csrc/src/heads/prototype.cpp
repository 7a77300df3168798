#include "zoo/prototype.hpp"

#include <algorithm>

#include "heads/labels.hpp"
#include "math/partition.hpp"
#include "rows/row_reader.hpp"
#include "runtime/parallel.hpp"
#include "zoo/error.hpp"

namespace zoo {

template <typename T>
Prototypes class_means(const Context& context, MatrixView<T> x, const Labels& labels) {
  detail::require_labels(labels, x.rows);
  detail::require_finite(context, MemoryRows(x));
  Prototypes out;
  out.means.resize(checked_product(labels.classes, x.cols));
  out.masses.resize(labels.classes);
  const auto weight = [&](std::size_t i) {
    return labels.weights == nullptr ? 1.0 : labels.weights[i];
  };
  for (std::size_t i = 0; i < x.rows; ++i) {
    out.masses[static_cast<std::size_t>(labels.codes[i])] += weight(i);
  }
  constexpr std::size_t kColumns = 256;  // a task's own columns: nothing to reduce
  parallel_for(context, (x.cols + kColumns - 1) / kColumns, [&](std::size_t task) {
    const std::size_t begin = task * kColumns, end = std::min(x.cols, begin + kColumns);
    for (std::size_t i = 0; i < x.rows; ++i) {
      const auto code = static_cast<std::size_t>(labels.codes[i]);
      double* mean = out.means.data() + code * x.cols;
      const T* row = x.row(i);
      const double w = weight(i);
      for (std::size_t j = begin; j < end; ++j) mean[j] += w * static_cast<double>(row[j]);
    }
    for (std::size_t c = 0; c < labels.classes; ++c) {
      if (!(out.masses[c] > 0.0)) continue;
      for (std::size_t j = begin; j < end; ++j) out.means[c * x.cols + j] /= out.masses[c];
    }
  });
  return out;
}

template <typename T>
std::vector<double> squared_distances(const Context& context, MatrixView<T> x,
                                      MatrixView<double> means) {
  if (x.cols != means.cols) throw Error(ErrorKind::kInvalid, "rows and means differ in columns");
  detail::require_finite(context, MemoryRows(x));
  const std::size_t k = means.rows;
  std::vector<double> out(checked_product(x.rows, k));
  parallel_for(context, (x.rows + 63) / 64, [&](std::size_t task) {
    for (std::size_t i = task * 64; i < std::min(x.rows, (task + 1) * 64); ++i) {
      const T* row = x.row(i);
      for (std::size_t c = 0; c < k; ++c) {
        const double* mean = means.row(c);
        double sum = 0.0;
        for (std::size_t j = 0; j < x.cols; ++j) {
          const double gap = static_cast<double>(row[j]) - mean[j];
          sum += gap * gap;
        }
        out[i * k + c] = sum;
      }
    }
  });
  return out;
}

template Prototypes class_means(const Context&, MatrixView<float>, const Labels&);
template Prototypes class_means(const Context&, MatrixView<double>, const Labels&);
template std::vector<double> squared_distances(const Context&, MatrixView<float>,
                                               MatrixView<double>);
template std::vector<double> squared_distances(const Context&, MatrixView<double>,
                                               MatrixView<double>);

}  // namespace zoo
