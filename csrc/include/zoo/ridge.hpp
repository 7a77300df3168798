// Ridge regression, one output or several: the whole path and exact leave-one-out, from one
// rotation.
//
//   f(W, b) = sum_i w_i |y_i - W x_i - b|^2 / (2 sum_i w_i) + strength / 2 * |W|^2
//
// scikit-learn's Ridge with alpha = strength * sum_i w_i. y_i is a row of real targets, or the
// one-hot row of a class. Leaving row i out divides its residual by 1 - h_i, h_i its leverage
// (Allen 1974), with alpha held; both are added up from what the penalty adds to each direction, so
// that a weak penalty on few rows costs no digits. All arithmetic in f64; the same bits for any
// number of threads.
#pragma once

#include <vector>

#include "zoo/context.hpp"
#include "zoo/logistic.hpp"
#include "zoo/matrix_view.hpp"

namespace zoo {

struct RidgeTargets {
  MatrixView<double> values;        // (n, q)
  const double* weights = nullptr;  // n weights, finite and >= 0, or nullptr: all 1
};

struct RidgeOptions {
  bool intercept = true;  // false: rows that are not centred, b = 0
  bool keep_all = false;  // left_out of every strength
};

struct RidgeFit {
  double strength = 0.0;
  std::vector<double> weights;       // (q, r), in the coordinates of the rotated rows
  std::vector<double> intercepts;    // (q)
  std::vector<double> left_out;      // (n, q): each row's scores from the fit without it
  std::vector<double> errors;        // (q) weighted mean squared left-out residuals; not of classes
  double inverse_temperature = 1.0;  // of classes: fitted on left_out
  // Mean of errors; of classes the mean log loss of softmax(inverse_temperature * left_out).
  double loss = 0.0;
};

// One fit per strength. z: (n, r) rows centred by their weighted mean in principal axes, so that
// sum_i w_i z_i z_i^T is diagonal. A row that no other can stand in for, whatever the penalty, gets
// the residual as if 1 - h were 1e-12.
// Only the fit of lowest loss (the first of equals) keeps left_out; keep_all keeps every one.
// Throws Error(kInvalid) on values that are not finite, and where fewer than two rows (of classes:
// fewer than two classes) have weight.
std::vector<RidgeFit> ridge_path(const Context& context, MatrixView<double> z,
                                 const RidgeTargets& targets, const std::vector<double>& strengths,
                                 RidgeOptions options = {});
std::vector<RidgeFit> ridge_path(const Context& context, MatrixView<double> z, const Labels& labels,
                                 const std::vector<double>& strengths, bool keep_all = false);

}  // namespace zoo
