// Products of tall rows with few columns, and the Gram matrix. T is float or double.
//
// Sums run in T along fixed lanes and blocks, so results are the same bits for any number of
// threads; they differ in the last bits between instruction sets. Relative error of a dot product
// of length d: at most (d / lanes + log2(lanes)) * eps(T) of the sum of absolute products.
#pragma once

#include <vector>

#include "zoo/context.hpp"
#include "zoo/matrix_view.hpp"

namespace zoo {

// X * W^T: (n, d) and (k, d) give (n, k), row-major.
template <typename T>
std::vector<T> rows_times(const Context& context, MatrixView<T> x, MatrixView<T> w);

// R^T * X: (n, k) and (n, d) give (k, d). Blocks of rows are summed in T, then in order in f64;
// needs at most kReductionBlocks * k * d values of scratch.
template <typename T>
std::vector<double> rows_combined(const Context& context, MatrixView<T> r, MatrixView<T> x);
inline constexpr std::size_t kReductionBlocks = 16;

// X^T * X: (n, d) gives (d, d), symmetric to the bit. Sums run in T over the rows in order.
template <typename T>
std::vector<double> gram(const Context& context, MatrixView<T> x);

// X * X^T: (n, d) gives (n, n), symmetric to the bit.
std::vector<double> kernel(const Context& context, MatrixView<double> x);

}  // namespace zoo
