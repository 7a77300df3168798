// One pass over the rows that serves any number of fits at once.
#pragma once

#include <cstddef>
#include <vector>

#include "heads/logistic/problem.hpp"
#include "math/kept.hpp"

namespace zoo::detail {

// What one fit asks of a pass. Points and results are (vectors, d + 1) in the solver's
// coordinates, the intercept last in each row.
template <typename T>
struct PassRequest {
  enum class Kind {
    kLoss,   // the mean loss at a point, its gradient, and the probabilities for kCurve
    kCurve,  // the Hessian at those probabilities times a direction
  };
  Kind kind = Kind::kLoss;
  bool precise = false;  // kLoss alone: arithmetic in f64 whatever the rows are
  // kCurve alone: an answer right to about 2^-8 will do, where that is faster.
  bool rough = false;
  const LogisticTask* task = nullptr;
  const std::vector<double>* at = nullptr;
  // (n, vectors): probabilities, p (1 - p) where vectors is 1; kLoss writes, kCurve reads them.
  std::vector<Kept<T>>* probabilities = nullptr;
  std::vector<double> result;
  double loss = 0.0;
};

// Runs all requests in one pass over the rows, or in one for each arithmetic that they want: f64,
// f32, or bf16 terms where the rows are bf16 and the processor multiplies those faster. Sums run
// over fixed blocks in order: the same bits for any number of threads, and for any company.
template <typename T>
void run_pass(const Context& context, const LogisticRows& rows,
              const std::vector<PassRequest<T>*>& requests);

// Whether passes over bf16 rows multiply them as they are, for fits of so many vectors.
[[nodiscard]] bool pairs_serve(std::size_t vectors) noexcept;

// Floating-point operations of one request.
[[nodiscard]] inline double pass_cost(std::size_t count, std::size_t d, std::size_t vectors) {
  return 4.0 * static_cast<double>(count) * static_cast<double>(d) * static_cast<double>(vectors);
}

}  // namespace zoo::detail
