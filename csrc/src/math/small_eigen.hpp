// Eigenvectors of a small symmetric matrix, such as the covariance of k classes.
#pragma once

#include <cstddef>
#include <vector>

namespace zoo::detail {

struct SmallEigen {
  std::vector<double> values;   // (k), in no order
  std::vector<double> vectors;  // (k, k), one eigenvector a column
};

// Cyclic Jacobi rotations in f64 (Golub, Van Loan 8.5): O(k^3) a sweep, meant for k up to a few
// hundred; eigenvalues to about k * 2^-53 of the largest.
SmallEigen small_eigen(std::vector<double> a, std::size_t k);

}  // namespace zoo::detail
