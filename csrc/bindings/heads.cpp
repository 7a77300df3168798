// Heads for Python: arrays in, tuples of arrays out; zoo/engine/heads.py gives them names.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "arrays.hpp"
#include "bindings.hpp"
#include "zoo/error.hpp"
#include "zoo/neighbours.hpp"
#include "zoo/products.hpp"
#include "zoo/prototype.hpp"
#include "zoo/temperature.hpp"

namespace py = pybind11;

namespace zoo::bindings {
namespace {

template <typename T>
py::tuple neighbours_of(const Array<T>& train, const Array<T>& queries, std::size_t wanted,
                        int threads) {
  const MatrixView<T> from = matrix(train, "train"), to = matrix(queries, "queries");
  const Context context = python_context(threads);
  Neighbours found;
  {
    const py::gil_scoped_release release;
    found = nearest_neighbours<T>(context, from, to, wanted);
  }
  return py::make_tuple(array_of(found.rows, to.rows, found.count),
                        array_of(found.distances, to.rows, found.count));
}

template <typename T>
py::tuple means_of(const Array<T>& x, const Codes& codes, std::size_t classes,
                   const Weights& weights, int threads) {
  const MatrixView<T> view = matrix(x, "x");
  const Labels labels = labels_of(codes, weights, classes, view.rows);
  const Context context = python_context(threads);
  Prototypes found;
  {
    const py::gil_scoped_release release;
    found = class_means<T>(context, view, labels);
  }
  return py::make_tuple(array_of(found.means, classes, view.cols), array_of(found.masses));
}

template <typename T>
py::array_t<double> distances_of(const Array<T>& x, const Array<double>& means, int threads) {
  const MatrixView<T> view = matrix(x, "x");
  const MatrixView<double> to = matrix(means, "means");
  const Context context = python_context(threads);
  std::vector<double> found;
  {
    const py::gil_scoped_release release;
    found = squared_distances<T>(context, view, to);
  }
  return array_of(found, view.rows, to.rows);
}

std::pair<double, double> temperature_of(const Array<double>& scores, const Codes& codes,
                                         const Weights& weights, int threads) {
  const MatrixView<double> view = matrix(scores, "scores");
  const Labels labels = labels_of(codes, weights, view.cols, view.rows);
  const Context context = python_context(threads);
  const py::gil_scoped_release release;
  const Temperature found = fit_temperature(context, view, labels);
  return {found.inverse, found.loss};
}

template <typename T>
py::array_t<T> product_of(const Array<T>& x, const Array<T>& w, int threads) {
  const MatrixView<T> a = matrix(x, "x"), b = matrix(w, "w");
  const Context context = python_context(threads);
  std::vector<T> found;
  {
    const py::gil_scoped_release release;
    found = rows_times<T>(context, a, b);
  }
  return array_of(found, a.rows, b.rows);
}

py::array_t<double> gram_of(const Array<double>& x, int threads) {
  const MatrixView<double> view = matrix(x, "x");
  const Context context = python_context(threads);
  std::vector<double> found;
  {
    const py::gil_scoped_release release;
    found = gram<double>(context, view);
  }
  return array_of(found, view.cols, view.cols);
}

template <typename T>
void register_typed(py::module_& module) {
  module.def("nearest_neighbours", &neighbours_of<T>, py::arg("train").noconvert(),
             py::arg("queries").noconvert(), py::kw_only(), py::arg("wanted"), py::arg("threads"));
  module.def("class_means", &means_of<T>, py::arg("x").noconvert(), py::arg("codes"),
             py::arg("classes"), py::kw_only(), py::arg("weights"), py::arg("threads"));
  module.def("squared_distances", &distances_of<T>, py::arg("x").noconvert(),
             py::arg("means").noconvert(), py::kw_only(), py::arg("threads"));
  module.def("rows_times", &product_of<T>, py::arg("x").noconvert(), py::arg("w").noconvert(),
             py::kw_only(), py::arg("threads"));
}

}  // namespace

void register_heads(py::module_& module) {
  register_typed<float>(module);
  register_typed<double>(module);
  module.def("fit_temperature", &temperature_of, py::arg("scores").noconvert(), py::arg("codes"),
             py::kw_only(), py::arg("weights"), py::arg("threads"));
  module.def("gram", &gram_of, py::arg("x").noconvert(), py::kw_only(), py::arg("threads"));
}

}  // namespace zoo::bindings
