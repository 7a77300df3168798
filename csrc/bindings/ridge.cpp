// Ridge regression for Python: zoo/engine/ridge.py gives the tuples their names.
#include "zoo/ridge.hpp"

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "arrays.hpp"
#include "bindings.hpp"
#include "zoo/products.hpp"

namespace py = pybind11;

namespace zoo::bindings {
namespace {

py::object left_out_of(const RidgeFit& fit, std::size_t rows) {
  if (fit.left_out.empty()) return py::none();
  return array_of(fit.left_out, rows, fit.intercepts.size());
}

py::list path_of_classes(const Array<double>& z, const Codes& codes, std::size_t classes,
                         const std::vector<double>& strengths, const Weights& weights,
                         bool keep_all, int threads) {
  const MatrixView<double> view = matrix(z, "z");
  const Labels labels = labels_of(codes, weights, classes, view.rows);
  const Context context = python_context(threads);
  std::vector<RidgeFit> path;
  {
    const py::gil_scoped_release release;
    path = ridge_path(context, view, labels, strengths, keep_all);
  }
  py::list out;
  for (const RidgeFit& fit : path) {
    out.append(py::make_tuple(array_of(fit.weights, classes, view.cols), array_of(fit.intercepts),
                              fit.inverse_temperature, fit.loss, left_out_of(fit, view.rows)));
  }
  return out;
}

py::list path_of_targets(const Array<double>& z, const Array<double>& y,
                         const std::vector<double>& strengths, const Weights& weights,
                         bool intercept, bool keep_all, int threads) {
  const MatrixView<double> view = matrix(z, "z");
  RidgeTargets targets{matrix(y, "y")};
  if (weights) targets.weights = weights_of(*weights, view.rows);
  const Context context = python_context(threads);
  std::vector<RidgeFit> path;
  {
    const py::gil_scoped_release release;
    path = ridge_path(context, view, targets, strengths, {intercept, keep_all});
  }
  py::list out;
  for (const RidgeFit& fit : path) {
    out.append(py::make_tuple(array_of(fit.weights, targets.values.cols, view.cols),
                              array_of(fit.intercepts), array_of(fit.errors),
                              left_out_of(fit, view.rows)));
  }
  return out;
}

py::array_t<double> combination_of(const Array<double>& r, const Array<double>& x, int threads) {
  const MatrixView<double> a = matrix(r, "r"), b = matrix(x, "x");
  const Context context = python_context(threads);
  std::vector<double> found;
  {
    const py::gil_scoped_release release;
    found = rows_combined(context, a, b);
  }
  return array_of(found, a.cols, b.cols);
}

}  // namespace

void register_ridge(py::module_& module) {
  module.def("ridge_path", &path_of_classes, py::arg("z").noconvert(), py::arg("codes"),
             py::arg("classes"), py::kw_only(), py::arg("strengths"), py::arg("weights"),
             py::arg("keep_all"), py::arg("threads"));
  module.def("ridge_targets", &path_of_targets, py::arg("z").noconvert(), py::arg("y").noconvert(),
             py::kw_only(), py::arg("strengths"), py::arg("weights"), py::arg("intercept"),
             py::arg("keep_all"), py::arg("threads"));
  module.def("rows_combined", &combination_of, py::arg("r").noconvert(), py::arg("x").noconvert(),
             py::kw_only(), py::arg("threads"));
}

}  // namespace zoo::bindings
