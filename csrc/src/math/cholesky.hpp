// Cholesky factors of symmetric positive definite matrices, for solving with many right-hand sides.
#pragma once

#include <cstddef>
#include <vector>

#include "zoo/context.hpp"

namespace zoo::detail {

// A = L L^T, found in f64 and kept in T: a solve costs two triangular products of T's speed and is
// right to about eps(T) times the condition of A, which is what a preconditioner needs.
template <typename T>
class Cholesky {
 public:
  // The lower triangle of a, (d, d) row-major, is read and overwritten. False where a is not
  // positive definite to working precision. Left-looking by blocks (Golub, Van Loan 4.2).
  [[nodiscard]] bool factor(const Context& context, std::vector<double>& a, std::size_t d);

  // Replaces each of m rows of b, (m, d), `stride` apart, by the solution of A x = b.
  void solve(T* b, std::size_t m, std::size_t stride) const;

  [[nodiscard]] bool empty() const noexcept { return d_ == 0; }

 private:
  std::size_t d_ = 0;
  // Both with their diagonal blocks inverted, so that a solve is products alone.
  std::vector<T> lower_;  // L, by rows
  std::vector<T> upper_;  // L^T, by rows
};

}  // namespace zoo::detail
