#include "heads/labels.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <string>

#include "runtime/parallel.hpp"
#include "zoo/error.hpp"

namespace zoo::detail {

template <typename T>
void require_finite(const Context& context, MatrixView<T> x) {
  constexpr std::size_t kRowsPerTask = 256;
  std::atomic<std::size_t> first{x.rows};
  parallel_for(context, (x.rows + kRowsPerTask - 1) / kRowsPerTask, [&](std::size_t task) {
    const std::size_t end = std::min(x.rows, (task + 1) * kRowsPerTask);
    for (std::size_t i = task * kRowsPerTask; i < end; ++i) {
      const T* row = x.row(i);
      // Branchless, so that the compiler vectorises it: 0 * x is 0 exactly where x is finite.
      int bad = 0;
      for (std::size_t j = 0; j < x.cols; ++j) bad |= static_cast<int>(!(row[j] * T{0} == T{0}));
      if (bad == 0) continue;
      std::size_t seen = first.load();
      while (i < seen && !first.compare_exchange_weak(seen, i)) {
      }
      return;
    }
  });
  if (first < x.rows) {
    throw Error(ErrorKind::kInvalid, "row " + std::to_string(first.load()) +
                                         " holds a value that is not finite (NaN or infinity)");
  }
}

template void require_finite(const Context&, MatrixView<float>);
template void require_finite(const Context&, MatrixView<double>);

void require_weights(const double* weights, std::size_t rows) {
  for (std::size_t i = 0; weights != nullptr && i < rows; ++i) {
    if (!(weights[i] >= 0.0 && std::isfinite(weights[i]))) {
      throw Error(ErrorKind::kInvalid, "row " + std::to_string(i) +
                                           " has a sample weight that is negative or not finite");
    }
  }
}

void require_labels(const Labels& labels, std::size_t rows) {
  for (std::size_t i = 0; i < rows; ++i) {
    if (labels.codes[i] < 0 || static_cast<std::size_t>(labels.codes[i]) >= labels.classes) {
      throw Error(ErrorKind::kInvalid, "row " + std::to_string(i) + " has label code " +
                                           std::to_string(labels.codes[i]) + ", not in [0, " +
                                           std::to_string(labels.classes) + ")");
    }
  }
  require_weights(labels.weights, rows);
}

}  // namespace zoo::detail
