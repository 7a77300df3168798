// Logistic regression with an L2 penalty: binary, multinomial and multi-label, to a certified
// optimum.
//
//   f(W, b) = sum_i w_i loss_i(W x_i + b) / sum_i w_i  +  strength / 2 * |W|^2,  b unpenalised.
//
// Two classes: one weight vector, loss = log(1 + exp(-y z)), the score of class 1 over class 0.
// Three and more: one vector a class, loss = -log softmax. Both are scikit-learn's
// LogisticRegression with C = 1 / (strength * sum_i w_i).
//
// Method: truncated Newton with conjugate gradients (Lin, Weng, Keerthi 2008). What preconditions
// them is chosen by the data and by what it costs (csrc/README.md has the rule and measurements).
// Rows are centred and scaled by folding both into the weights. Many fits share a pass.
//
// Products run in double for f64 rows and in float for all others, which are widened a tile at a
// time; sums over blocks, directions and the certificate are f64. Rows are read some 50 times.
// Results are the same bits for any number of threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "zoo/context.hpp"
#include "zoo/matrix_view.hpp"
#include "zoo/row_source.hpp"

namespace zoo {

struct LogisticForm {
  bool intercept = true;
  // Penalise in units of each column's standard deviation: the fit of standardised columns, its
  // weights for the columns as they are. Constant columns get weight 0.
  bool standardize = false;
};

struct LogisticOptions {
  double strength = 1e-3;
  double tolerance = 1e-6;   // of suboptimality
  int max_iterations = 300;  // Newton steps
  LogisticForm form = {};
};

struct LogisticCoefficients {
  std::size_t vectors = 0;         // 1 for two classes, else the number of classes
  std::vector<double> weights;     // (vectors, d)
  std::vector<double> intercepts;  // (vectors)
};

struct LogisticFit : LogisticCoefficients {
  double objective = 0.0;
  // Half the squared Newton decrement over the objective: to second order the relative distance of
  // f from its minimum (Boyd, Vandenberghe 9.5). This and the objective are measured in f64 at a
  // point that the last step, whose length it is, has then brought closer.
  double suboptimality = 0.0;
  // A rigorous upper bound of the same distance, from the dual; huge where strength is tiny.
  double suboptimality_bound = 0.0;
  bool converged = false;
  int iterations = 0;     // Newton steps
  int products = 0;       // Hessian products, the unit of work
  bool narrowed = false;  // f32 rows that were all bf16's, so that products in bf16 served
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
LogisticFit logistic_fit(const Context& context, const RowSource& x, const Labels& labels,
                         const LogisticOptions& options,
                         const LogisticCoefficients* start = nullptr);

// One binary fit a label, all in shared passes. `marks`: (n, labels) of 0 and 1, or -1 where a row
// says nothing about a label. The fit of a label whose known marks are all alike throws.
std::vector<LogisticFit> multilabel_fit(const Context& context, const RowSource& x,
                                        MatrixView<std::int8_t> marks, const double* weights,
                                        const LogisticOptions& options);

struct FoldView {
  const std::int64_t* fit = nullptr;  // row numbers to fit on
  std::size_t fit_count = 0;
  const std::int64_t* held = nullptr;  // row numbers to judge on
  std::size_t held_count = 0;
};

enum class StrengthRule {
  kBest,         // the least mean held-out loss; of equals the strongest
  kOneStandard,  // the strongest within one standard error, over the folds, of the least
};

struct LogisticSearch {
  std::vector<double> losses;  // (folds, strengths): sum of the held rows' weighted log losses
  std::vector<double> held;    // (folds): sum of the held rows' weights
  std::size_t chosen = 0;      // index of a strength
  std::vector<double>
      scores;             // (n, vectors): of the chosen, by the fold that held the row; else NaN
  int products = 0;       // Hessian products over all fits
  bool narrowed = false;  // as in LogisticFit
};

struct SearchOptions {
  std::vector<double> strengths;  // strong to weak, at least one
  StrengthRule rule = StrengthRule::kBest;
  // Of the inner fits, less in proportion below 20,000 rows: 1e-6 leaves mean held-out losses right
  // to a few 1e-4.
  double tolerance = 1e-6;
  LogisticForm form = {};
};

// Fits every fold at every strength, each from those before, all folds in shared passes, and sums
// -log p of the held rows.
LogisticSearch logistic_search(const Context& context, const RowSource& x, const Labels& labels,
                               const std::vector<FoldView>& folds, const SearchOptions& options);

}  // namespace zoo
