// Arrays of Python as the core's views, and the core's vectors as arrays.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "zoo/error.hpp"
#include "zoo/logistic.hpp"
#include "zoo/matrix_view.hpp"

namespace zoo::bindings {

namespace py = pybind11;

template <typename T>
using Array = py::array_t<T, py::array::c_style>;
using Codes = Array<std::int64_t>;
using Weights = std::optional<Array<double>>;

template <typename T>
MatrixView<T> matrix(const Array<T>& x, const char* name) {
  if (x.ndim() != 2) {
    throw Error(ErrorKind::kInvalid, std::string(name) + " must have 2 dimensions");
  }
  const auto cols = static_cast<std::size_t>(x.shape(1));
  return {x.data(), static_cast<std::size_t>(x.shape(0)), cols, cols};
}

inline Labels labels_of(const Codes& codes, const Weights& weights, std::size_t classes,
                        std::size_t rows) {
  if (codes.ndim() != 1 || static_cast<std::size_t>(codes.shape(0)) != rows) {
    throw Error(ErrorKind::kInvalid, "codes must have one entry a row");
  }
  if (weights && (weights->ndim() != 1 || static_cast<std::size_t>(weights->shape(0)) != rows)) {
    throw Error(ErrorKind::kInvalid, "sample weights must have one entry a row");
  }
  return {codes.data(), classes, weights ? weights->data() : nullptr};
}

template <typename T>
py::array_t<T> array_of(const std::vector<T>& values, std::size_t rows, std::size_t cols) {
  return py::array_t<T>({static_cast<py::ssize_t>(rows), static_cast<py::ssize_t>(cols)},
                        values.data());
}

template <typename T>
py::array_t<T> array_of(const std::vector<T>& values) {
  return py::array_t<T>(static_cast<py::ssize_t>(values.size()), values.data());
}

}  // namespace zoo::bindings
