// Ridge regression on class indicators: the whole path and exact leave-one-out, from one rotation.
//
//   f(W, b) = sum_i w_i |y_i - W x_i - b|^2 / (2 sum_i w_i) + strength / 2 * |W|^2
//
// with y_i the one-hot row of the class; scikit-learn's Ridge with alpha = strength * sum_i w_i.
// Leaving row i out divides its residual by 1 - h_i, h_i its leverage (Allen 1974), with alpha
// held. All arithmetic in f64; the same bits for any number of threads.
#pragma once

#include <vector>

#include "zoo/context.hpp"
#include "zoo/logistic.hpp"
#include "zoo/matrix_view.hpp"

namespace zoo {

struct RidgeFit {
  double strength = 0.0;
  std::vector<double> weights;       // (k, r), in the coordinates of the rotated rows
  std::vector<double> intercepts;    // (k)
  std::vector<double> left_out;      // (n, k): each row's scores from the fit without it
  double inverse_temperature = 1.0;  // fitted on left_out
  double loss = 0.0;                 // mean log loss of softmax(inverse_temperature * left_out)
};

// One fit per strength. z: (n, r) rows centred by their weighted mean in principal axes, so that
// sum_i w_i z_i z_i^T is diagonal. A row whose leverage is 1 gets the residual as if 1 - h = 1e-12.
// Only the fit of lowest loss (the strongest of equals) keeps left_out; keep_all keeps every one.
std::vector<RidgeFit> ridge_path(const Context& context, MatrixView<double> z, const Labels& labels,
                                 const std::vector<double>& strengths, bool keep_all = false);

}  // namespace zoo
