#include "zoo/row_norms.hpp"

#include <algorithm>

#include "runtime/parallel.hpp"
#include "zoo/error.hpp"

namespace zoo {

std::vector<double> row_norms(const Context& context, MatrixView<float> x) {
  std::vector<double> out(x.rows);
  constexpr std::size_t kRowsPerTask = 1024;
  parallel_for(context, (x.rows + kRowsPerTask - 1) / kRowsPerTask, [&](std::size_t task) {
    const std::size_t end = std::min(x.rows, (task + 1) * kRowsPerTask);
    for (std::size_t i = task * kRowsPerTask; i < end; ++i) {
      double sum = 0.0;
      for (std::size_t j = 0; j < x.cols; ++j) {
        sum += static_cast<double>(x.row(i)[j]) * static_cast<double>(x.row(i)[j]);
      }
      out[i] = sum;
    }
  });
  return out;
}

#ifndef ZOO_HAVE_CUDA
std::vector<double> row_norms_cuda(const Context&, MatrixView<float>) {
  throw Error(ErrorKind::kUnavailable, "this build of zoo has no CUDA code");
}
#endif

}  // namespace zoo
