// Nearest class mean.
#pragma once

#include <vector>

#include "zoo/context.hpp"
#include "zoo/logistic.hpp"
#include "zoo/matrix_view.hpp"

namespace zoo {

struct Prototypes {
  std::vector<double> means;   // (k, d); zeros for a class without weight
  std::vector<double> masses;  // (k) sum of weights
};

// Weighted class means, summed in f64 in row order.
template <typename T>
Prototypes class_means(const Context& context, MatrixView<T> x, const Labels& labels);

// (n, k): |x_i - mean_c|^2, summed in f64 in column order.
template <typename T>
std::vector<double> squared_distances(const Context& context, MatrixView<T> x,
                                      MatrixView<double> means);

}  // namespace zoo
