// Exact nearest neighbours by Euclidean distance.
#pragma once

#include <cstdint>
#include <vector>

#include "zoo/context.hpp"
#include "zoo/matrix_view.hpp"

namespace zoo {

struct Neighbours {
  std::size_t count = 0;           // neighbours of each query, min(wanted, train.rows)
  std::vector<std::int64_t> rows;  // (m, count) rows of train, nearest first
  std::vector<double> distances;   // (m, count) squared distances
};

// The `wanted` nearest rows of train for each of m queries; of equal distances the lower row comes
// first. Blocked products in f32, around the mean of train, find the candidates within their
// rounding error, (d / 4 + 16) eps of the two squared norms; the order is decided by
// sum_j (q_j - x_j)^2 in f64, so the result is that of the direct computation.
// Throws Error(kInvalid) on values that are not finite, and where a row is too far from their
// mean for T.
template <typename T>
Neighbours nearest_neighbours(const Context& context, MatrixView<T> train, MatrixView<T> queries,
                              std::size_t wanted);

}  // namespace zoo
