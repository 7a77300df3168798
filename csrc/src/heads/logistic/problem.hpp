// Rows and tasks of logistic regression: what its passes and its solver work on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "zoo/context.hpp"
#include "zoo/logistic.hpp"
#include "zoo/row_source.hpp"

namespace zoo::detail {

inline constexpr std::size_t kLogisticTile = 32;  // rows that stay in cache through a pass

// Rows in the coordinates of the solver, (x - mean) * inverse_scale, without a copy: the passes
// fold both into the weights. The source outlives them.
struct LogisticRows {
  const RowSource* source = nullptr;
  std::vector<std::size_t> order;  // row numbers in the order of the passes
  std::size_t d = 0;
  std::vector<double> mean;           // (d); zeros without an intercept
  std::vector<double> inverse_scale;  // (d); 0 for a constant column
  bool intercept = true;
  double penalty_scale = 1.0;  // a strength for the rows, times this, is one for the solver
  double variance = 0.0;       // total, in the solver's coordinates
};

// One fit over the shared rows. Rows of weight 0 are not in it.
struct LogisticTask {
  std::size_t vectors = 0;             // 1: two classes
  std::vector<std::uint32_t> codes;    // n; in [0, vectors), or 0 and 1
  std::vector<double> weights;         // n, sum 1
  std::vector<double> shares;          // the weight of each class that has some
  std::vector<std::size_t> classes;    // which those are; both where there are two
  std::vector<std::uint8_t> has_rows;  // of each tile of rows: whether any has weight
  std::size_t count = 0;               // rows with weight
  bool intercept = true;

  [[nodiscard]] std::size_t size(std::size_t d) const noexcept { return vectors * (d + 1); }
};

// Means and scales by the weights; Error(kInvalid) that names the first row that is not finite.
LogisticRows logistic_rows(const Context& context, const RowSource& x,
                           std::vector<std::size_t> order, const double* weights,
                           const LogisticForm& form);

// The task of rows in `order` at codes and weights (by row number). Nothing where fewer than two
// classes have weight.
std::optional<LogisticTask> logistic_task(const std::vector<std::size_t>& order,
                                          const std::int64_t* codes, std::size_t classes,
                                          const double* weights, bool intercept);

// Coefficients of the rows as given, all classes, from the solver's coordinates (vectors, d + 1).
// A class without weight gets zero weights and an intercept that gives it the odds of half a row.
LogisticCoefficients all_classes(const LogisticRows& rows, const LogisticTask& task,
                                 std::size_t classes, const std::vector<double>& u);

// The solver's coordinates of coefficients as given.
std::vector<double> coordinates_of(const LogisticRows& rows, const LogisticTask& task,
                                   const LogisticCoefficients& from);

}  // namespace zoo::detail
