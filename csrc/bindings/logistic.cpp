// Logistic regression for Python: arrays in, tuples of arrays out; zoo/engine/logistic.py names
// them.
#include "zoo/logistic.hpp"

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "arrays.hpp"
#include "bindings.hpp"
#include "rows.hpp"

namespace py = pybind11;

namespace zoo::bindings {
namespace {

using Start = std::optional<std::pair<Array<double>, Array<double>>>;

py::tuple tuple_of(const LogisticFit& fit, std::size_t columns) {
  return py::make_tuple(array_of(fit.weights, fit.vectors, columns), array_of(fit.intercepts),
                        fit.objective, fit.suboptimality, fit.suboptimality_bound, fit.converged,
                        fit.iterations, fit.products, fit.narrowed);
}

py::tuple fit(const Rows& x, const Codes& codes, std::size_t classes, double strength,
              const Weights& weights, const Start& start, bool intercept, bool standardize,
              double tolerance, int max_iterations, int threads) {
  const std::size_t rows = x.source().rows(), columns = x.source().cols();
  const Labels labels = labels_of(codes, weights, classes, rows);
  std::optional<LogisticCoefficients> from;
  if (start) {
    const auto& [w, b] = *start;
    from.emplace();
    from->vectors = static_cast<std::size_t>(b.size());
    from->weights.assign(w.data(), w.data() + w.size());
    from->intercepts.assign(b.data(), b.data() + b.size());
  }
  const Context context = python_context(threads);
  LogisticFit found;
  {
    const py::gil_scoped_release release;
    found = logistic_fit(context, x.source(), labels,
                         {strength, tolerance, max_iterations, {intercept, standardize}},
                         from ? &*from : nullptr);
  }
  return tuple_of(found, columns);
}

py::list fit_multilabel(const Rows& x, const Array<std::int8_t>& marks, double strength,
                        const Weights& weights, bool intercept, bool standardize, double tolerance,
                        int max_iterations, int threads) {
  const std::size_t rows = x.source().rows(), columns = x.source().cols();
  const MatrixView<std::int8_t> targets = matrix(marks, "marks");
  const Context context = python_context(threads);
  std::vector<LogisticFit> found;
  {
    const py::gil_scoped_release release;
    found =
        multilabel_fit(context, x.source(), targets, weights ? weights_of(*weights, rows) : nullptr,
                       {strength, tolerance, max_iterations, {intercept, standardize}});
  }
  py::list out;
  for (const LogisticFit& one : found) out.append(tuple_of(one, columns));
  return out;
}

py::tuple search(const Rows& x, const Codes& codes, std::size_t classes,
                 const std::vector<std::pair<Codes, Codes>>& folds,
                 const std::vector<double>& strengths, const Weights& weights, bool one_standard,
                 bool intercept, bool standardize, double tolerance, int threads) {
  const std::size_t rows = x.source().rows();
  const Labels labels = labels_of(codes, weights, classes, rows);
  std::vector<FoldView> lists;
  for (const auto& [fitted, held] : folds) {
    lists.push_back({fitted.data(), static_cast<std::size_t>(fitted.size()), held.data(),
                     static_cast<std::size_t>(held.size())});
  }
  const Context context = python_context(threads);
  LogisticSearch found;
  {
    const py::gil_scoped_release release;
    found = logistic_search(context, x.source(), labels, lists,
                            {strengths,
                             one_standard ? StrengthRule::kOneStandard : StrengthRule::kBest,
                             tolerance,
                             {intercept, standardize}});
  }
  const std::size_t vectors = rows == 0 ? 1 : found.scores.size() / rows;
  return py::make_tuple(array_of(found.losses, lists.size(), strengths.size()),
                        array_of(found.held), found.chosen, array_of(found.scores, rows, vectors),
                        found.products, found.narrowed);
}

}  // namespace

void register_logistic(py::module_& module) {
  module.def("logistic_fit", &fit, py::arg("x"), py::arg("codes"), py::arg("classes"),
             py::kw_only(), py::arg("strength"), py::arg("weights"), py::arg("start"),
             py::arg("intercept"), py::arg("standardize"), py::arg("tolerance"),
             py::arg("max_iterations"), py::arg("threads"));
  module.def("multilabel_fit", &fit_multilabel, py::arg("x"), py::arg("marks").noconvert(),
             py::kw_only(), py::arg("strength"), py::arg("weights"), py::arg("intercept"),
             py::arg("standardize"), py::arg("tolerance"), py::arg("max_iterations"),
             py::arg("threads"));
  module.def("logistic_search", &search, py::arg("x"), py::arg("codes"), py::arg("classes"),
             py::kw_only(), py::arg("folds"), py::arg("strengths"), py::arg("weights"),
             py::arg("one_standard"), py::arg("intercept"), py::arg("standardize"),
             py::arg("tolerance"), py::arg("threads"));
}

}  // namespace zoo::bindings
