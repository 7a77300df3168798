// What the heads' bindings share: NumPy arrays as views of the core, vectors as NumPy arrays.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <optional>
#include <string>
#include <vector>

#include "zoo/error.hpp"
#include "zoo/logistic.hpp"
#include "zoo/matrix_view.hpp"

namespace zoo::bindings {

template <typename T>
using Array = pybind11::array_t<T, pybind11::array::c_style>;
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

inline const double* weights_of(const Array<double>& weights, std::size_t rows) {
  if (weights.ndim() != 1 || static_cast<std::size_t>(weights.shape(0)) != rows) {
    throw Error(ErrorKind::kInvalid, "sample weights must have one entry a row");
  }
  return weights.data();
}

inline Labels labels_of(const Codes& codes, const Weights& weights, std::size_t classes,
                        std::size_t rows) {
  if (codes.ndim() != 1 || static_cast<std::size_t>(codes.shape(0)) != rows) {
    throw Error(ErrorKind::kInvalid, "codes must have one entry a row");
  }
  return {codes.data(), classes, weights ? weights_of(*weights, rows) : nullptr};
}

template <typename T>
pybind11::array_t<T> array_of(const std::vector<T>& values, std::size_t rows, std::size_t cols) {
  return pybind11::array_t<T>(
      {static_cast<pybind11::ssize_t>(rows), static_cast<pybind11::ssize_t>(cols)}, values.data());
}

template <typename T>
pybind11::array_t<T> array_of(const std::vector<T>& values) {
  return pybind11::array_t<T>(static_cast<pybind11::ssize_t>(values.size()), values.data());
}

}  // namespace zoo::bindings
