#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <string>

#include "heads/labels.hpp"
#include "heads/logistic/newton.hpp"
#include "heads/logistic/passes.hpp"
#include "heads/logistic/problem.hpp"
#include "rows/narrow_rows.hpp"
#include "zoo/error.hpp"
#include "zoo/logistic.hpp"

namespace zoo {
namespace {

void require_options(const LogisticOptions& options) {
  if (!(options.strength > 0.0) || !std::isfinite(options.strength)) {
    throw Error(ErrorKind::kInvalid, "strength must be positive and finite");
  }
  if (!(options.tolerance > 0.0)) throw Error(ErrorKind::kInvalid, "tolerance must be positive");
}

template <typename T>
LogisticFit fit_of(const detail::LogisticRows& rows, const detail::LogisticTask& task,
                   std::size_t classes, const detail::LogisticNewton<T>& newton) {
  LogisticFit fit;
  static_cast<LogisticCoefficients&>(fit) =
      detail::all_classes(rows, task, classes, newton.coordinates());
  const detail::NewtonEnd& end = newton.end();
  fit.objective = end.objective;
  fit.suboptimality = end.suboptimality;
  fit.suboptimality_bound = end.bound;
  fit.converged = end.converged;
  fit.iterations = end.iterations;
  fit.products = end.products;
  return fit;
}

detail::NewtonOptions newton_options(const LogisticOptions& options,
                                     const detail::LogisticRows& rows, bool near) {
  return {options.strength * rows.penalty_scale, options.tolerance, options.max_iterations, true,
          near};
}

template <typename T>
LogisticFit fit_in(const Context& context, const RowSource& x, const Labels& labels,
                   const LogisticOptions& options, const LogisticCoefficients* start) {
  require_options(options);
  detail::require_labels(labels, x.rows());
  std::vector<std::size_t> order(x.rows());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto rows = detail::logistic_rows(context, x, order, labels.weights, options.form);
  const auto task = detail::logistic_task(order, labels.codes, labels.classes, labels.weights,
                                          options.form.intercept);
  if (!task) {
    throw Error(ErrorKind::kInvalid, "fewer than two classes have labelled rows with weight");
  }
  std::vector<double> u(task->size(x.cols()));
  if (start != nullptr) {
    const std::size_t vectors = labels.classes == 2 ? 1 : labels.classes;
    if (start->vectors != vectors || start->weights.size() != vectors * x.cols() ||
        start->intercepts.size() != vectors) {
      throw Error(ErrorKind::kInvalid, "the warm start has another shape than this problem");
    }
    u = detail::coordinates_of(rows, *task, *start);
  }
  detail::LogisticNewton<T> newton(rows, *task);
  newton.begin(std::move(u), newton_options(options, rows, start != nullptr));
  detail::walk<T>(context, rows, {&newton});
  return fit_of(rows, *task, labels.classes, newton);
}

template <typename T>
std::vector<LogisticFit> fit_labels_in(const Context& context, const RowSource& x,
                                       MatrixView<std::int8_t> marks, const double* weights,
                                       const LogisticOptions& options) {
  require_options(options);
  if (marks.rows != x.rows()) throw Error(ErrorKind::kInvalid, "marks must have one line a row");
  const std::size_t n = x.rows(), count = marks.cols;
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  const std::vector<std::int64_t> zeros(n);
  detail::require_labels({zeros.data(), 1, weights}, n);
  const auto rows = detail::logistic_rows(context, x, order, weights, options.form);
  std::vector<detail::LogisticTask> tasks;
  tasks.reserve(count);
  for (std::size_t label = 0; label < count; ++label) {
    std::vector<std::int64_t> codes(n);
    std::vector<double> known(n);
    for (std::size_t i = 0; i < n; ++i) {
      const std::int8_t mark = marks.row(i)[label];
      if (mark < -1 || mark > 1) {
        throw Error(ErrorKind::kInvalid, "row " + std::to_string(i) + " has mark " +
                                             std::to_string(mark) + ", not 0, 1 or -1");
      }
      codes[i] = mark == 1 ? 1 : 0;
      known[i] = mark < 0 ? 0.0 : weights == nullptr ? 1.0 : weights[i];
    }
    auto task = detail::logistic_task(order, codes.data(), 2, known.data(), options.form.intercept);
    if (!task) {
      throw Error(ErrorKind::kInvalid, "label " + std::to_string(label) +
                                           " is the same in all rows that say something of it");
    }
    tasks.push_back(std::move(*task));
  }
  std::vector<std::unique_ptr<detail::LogisticNewton<T>>> fits;
  std::vector<detail::LogisticNewton<T>*> walkers;
  for (const detail::LogisticTask& task : tasks) {
    fits.push_back(std::make_unique<detail::LogisticNewton<T>>(rows, task));
    fits.back()->begin(std::vector<double>(task.size(x.cols())),
                       newton_options(options, rows, false));
    walkers.push_back(fits.back().get());
  }
  detail::walk<T>(context, rows, walkers);
  std::vector<LogisticFit> out;
  for (std::size_t label = 0; label < count; ++label) {
    out.push_back(fit_of(rows, tasks[label], 2, *fits[label]));
  }
  return out;
}

}  // namespace

LogisticFit logistic_fit(const Context& context, const RowSource& x, const Labels& labels,
                         const LogisticOptions& options, const LogisticCoefficients* start) {
  if (detail::pairs_serve(labels.classes)) {
    if (const auto narrow = detail::narrowed(context, x)) {
      LogisticFit fit = fit_in<float>(context, *narrow, labels, options, start);
      fit.narrowed = true;
      return fit;
    }
  }
  return x.type() == RowType::kF64 ? fit_in<double>(context, x, labels, options, start)
                                   : fit_in<float>(context, x, labels, options, start);
}

std::vector<LogisticFit> multilabel_fit(const Context& context, const RowSource& x,
                                        MatrixView<std::int8_t> marks, const double* weights,
                                        const LogisticOptions& options) {
  return x.type() == RowType::kF64 ? fit_labels_in<double>(context, x, marks, weights, options)
                                   : fit_labels_in<float>(context, x, marks, weights, options);
}

}  // namespace zoo
