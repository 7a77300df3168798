// Fewer rows than columns: the same rows in as many coordinates as there are rows.
#pragma once

#include <vector>

#include "heads/logistic/problem.hpp"

namespace zoo::detail {

// (n, n) coordinates of all rows of x in an orthonormal basis of the span of the solver's rows,
// (x - mean) * inverse_scale: the lower triangle L of K = L L^T, their inner products. Every
// penalised linear fit has its optimum in that span, and the penalty is the same in any such
// basis. Takes n^2 d operations in f64; a ridge of 1e-12 of the mean square keeps rank-deficient
// rows factorable, which is below the rounding of f32 rows.
template <typename T>
std::vector<T> span_coordinates(const Context& context, const LogisticRows& rows);

}  // namespace zoo::detail
