#include "heads/neighbour_frame.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "math/kept.hpp"
#include "math/kernels.hpp"
#include "math/partition.hpp"
#include "runtime/parallel.hpp"
#include "zoo/error.hpp"

namespace zoo::detail {
namespace {

constexpr std::size_t kRowsPerTask = 512;  // whole panels

template <typename T>
T largest_deviation(const Context& context, MatrixView<T> x, const std::vector<T>& mean) {
  std::vector<T> largest((x.rows + kRowsPerTask - 1) / kRowsPerTask);
  parallel_for(context, largest.size(), [&](std::size_t task) {
    const std::size_t end = std::min(x.rows, (task + 1) * kRowsPerTask);
    for (std::size_t i = task * kRowsPerTask; i < end; ++i) {
      const T* row = x.row(i);
      for (std::size_t j = 0; j < x.cols; ++j) {
        largest[task] = std::max(largest[task], std::abs(row[j] - mean[j]));
      }
    }
  });
  return largest.empty() ? T{0} : *std::max_element(largest.begin(), largest.end());
}

}  // namespace

template <typename T>
NeighbourFrame<T>::NeighbourFrame(const Context& context, MatrixView<T> train,
                                  MatrixView<T> queries) {
  const std::size_t n = train.rows, d = train.cols;
  std::vector<double> sums(d);
  for (std::size_t i = 0; i < n; ++i) {
    if (i % kRowsPerTask == 0) context.check();
    const T* row = train.row(i);
    for (std::size_t j = 0; j < d; ++j) sums[j] += static_cast<double>(row[j]);
  }
  for (const double sum : sums) mean_.push_back(static_cast<T>(sum / static_cast<double>(n)));
  const T largest = std::max(largest_deviation(context, train, mean_),
                             largest_deviation(context, queries, mean_));
  if (!std::isfinite(largest)) {
    throw Error(ErrorKind::kInvalid,
                "the rows are too far from their mean: scale the columns down");
  }
  if (largest > T{0}) {
    // The scale itself has to be finite.
    constexpr int kLeast = 2 - std::numeric_limits<T>::max_exponent;
    scale_ = std::exp2(static_cast<T>(-std::max(std::ilogb(largest), kLeast)));
  }
  train_.resize(n);
  const std::size_t pairs = pairs_of(d);
  if (kernels().pairs.multiply != nullptr) {
    panels_.resize(checked_product(panels_of(n), pairs * kPanel));
  }
  parallel_for(context, (n + kRowsPerTask - 1) / kRowsPerTask, [&](std::size_t task) {
    std::vector<float> placed(d);
    std::vector<std::uint32_t> row(panels_.empty() ? 0 : pairs);
    for (std::size_t i = task * kRowsPerTask; i < std::min(n, (task + 1) * kRowsPerTask); ++i) {
      train_[i] = place(train.row(i), placed.data(), row.empty() ? nullptr : row.data());
      if (row.empty()) continue;
      std::uint32_t* to = panels_.data() + i / kPanel * pairs * kPanel + i % kPanel;
      for (std::size_t p = 0; p < pairs; ++p) to[p * kPanel] = row[p];
    }
  });
}

template <typename T>
PlacedRow NeighbourFrame<T>::place(const T* x, float* to, std::uint32_t* pairs) const {
  const std::size_t d = mean_.size();
  double square = 0.0, rest = 0.0;
  for (std::size_t j = 0; j < d; ++j) {
    to[j] = static_cast<float>((x[j] - mean_[j]) * scale_);
    square += static_cast<double>(to[j]) * static_cast<double>(to[j]);
  }
  if (pairs != nullptr) {
    std::fill_n(pairs, pairs_of(d), 0U);
    for (std::size_t j = 0; j < d; ++j) {
      const std::uint32_t rounded = upper_bf16(to[j]);
      pairs[j / 2] |= j % 2 == 0 ? rounded >> 16U : rounded;
      const double gap = static_cast<double>(to[j] - std::bit_cast<float>(rounded));
      rest += gap * gap;
    }
  }
  return {square, std::sqrt(square), std::sqrt(rest)};
}

template class NeighbourFrame<float>;
template class NeighbourFrame<double>;

}  // namespace zoo::detail
