// Squared Euclidean norm of each row: out[i] = sum_j x[i, j]^2.
#pragma once

#include <vector>

#include "zoo/context.hpp"
#include "zoo/matrix_view.hpp"

namespace zoo {

// Accumulates in f64 in column order; relative error of a row at most cols * 2^-53.
std::vector<double> row_norms(const Context& context, MatrixView<float> x);

// The same on the first CUDA device, from and to host memory. Accumulates in f64 in a fixed tree
// order. Throws Error(kUnavailable) where CUDA was not built or no device is found.
std::vector<double> row_norms_cuda(const Context& context, MatrixView<float> x);

}  // namespace zoo
