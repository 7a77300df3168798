// Logistic regression with an L2 penalty: binary and multinomial, to a measured optimum.
//
//   f(W, b) = sum_i w_i loss_i(W x_i + b) / sum_i w_i  +  strength / 2 * |W|^2,  b unpenalised.
//
// Two classes: one weight vector, loss = log(1 + exp(-y z)), the score of class 1 over class 0.
// Three and more: one vector a class, loss = -log softmax. Both are scikit-learn's
// LogisticRegression with C = 1 / (strength * sum_i w_i).
//
// Method: truncated Newton with conjugate gradients (Lin, Weng, Keerthi 2008) preconditioned by
// the Kronecker product of the classes' mean covariance and the columns' second moments, which is
// exact where the probabilities don't depend on the row. It is right on any rows and fast where
// the columns are centred and uncorrelated: rotate to the principal axes first; the penalty and
// hence the optimum are the same.
//
// Products run in T (float or double), losses, sums over blocks, directions and step lengths in
// f64. Results are the same bits for any number of threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "zoo/context.hpp"
#include "zoo/matrix_view.hpp"

namespace zoo {

struct LogisticOptions {
  double strength = 1e-3;
  double tolerance = 1e-6;   // of suboptimality; float rows can't be certified much below 1e-6
  int max_iterations = 300;  // Newton steps
};

struct LogisticCoefficients {
  std::size_t vectors = 0;         // 1 for two classes, else the number of classes
  std::vector<double> weights;     // (vectors, d)
  std::vector<double> intercepts;  // (vectors)
};

struct LogisticFit : LogisticCoefficients {
  double objective = 0.0;
  // Half the squared Newton decrement over the objective, before the last step was taken: to
  // second order the relative distance of f from its minimum (Boyd, Vandenberghe 9.5).
  double suboptimality = 0.0;
  bool converged = false;
  int iterations = 0;  // Newton steps
  int products = 0;    // Hessian products, the unit of work
};

struct Labels {
  const std::int64_t* codes = nullptr;  // n codes, each in [0, classes)
  std::size_t classes = 0;
  const double* weights = nullptr;  // n weights, finite and >= 0, or nullptr: all 1
};

// Fits n rows, from `start` where given. A class without weight gets zero weights and an intercept
// that gives it the odds of half a row, since its own optimum lies at minus infinity. Throws
// Error(kInvalid) on a value that is not finite (naming the row), on codes outside the range, and
// where fewer than two classes have weight.
template <typename T>
LogisticFit logistic_fit(const Context& context, MatrixView<T> x, const Labels& labels,
                         const LogisticOptions& options,
                         const LogisticCoefficients* start = nullptr);

struct FoldView {
  const std::int64_t* fit = nullptr;  // row numbers to fit on
  std::size_t fit_count = 0;
  const std::int64_t* held = nullptr;  // row numbers to judge on
  std::size_t held_count = 0;
};

struct LogisticSearch {
  std::vector<double> losses;  // (folds, strengths): sum of the held rows' log losses
  int products = 0;            // Hessian products over all fits
};

// Fits every fold at every strength, each from the one before, and sums -log p of the held rows.
// Strengths run from strong to weak. Folds run in parallel and share the rows; tolerance is that
// of the inner fits: 1e-5 leaves held-out losses right to about 1e-4.
template <typename T>
LogisticSearch logistic_search(const Context& context, MatrixView<T> x, const Labels& labels,
                               const std::vector<FoldView>& folds,
                               const std::vector<double>& strengths, double tolerance = 1e-5);

}  // namespace zoo
