#include "rows.hpp"

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <optional>
#include <string>
#include <vector>

#include "bindings.hpp"
#include "store_handle.hpp"
#include "zoo/error.hpp"

namespace py = pybind11;

namespace zoo::bindings {
namespace {

using Scales = std::optional<py::array_t<float, py::array::c_style>>;

RowType type_of(const py::dtype& dtype) {
  const char kind = dtype.kind();
  const py::ssize_t size = dtype.itemsize();
  if (dtype.byteorder() != '>') {
    if (kind == 'f' && size == 8) return RowType::kF64;
    if (kind == 'f' && size == 4) return RowType::kF32;
    if (kind == 'f' && size == 2) return RowType::kF16;
    if (kind == 'u' && size == 2) return RowType::kBF16;
    if (kind == 'i' && size == 1) return RowType::kI8;
  }
  throw Error(ErrorKind::kInvalid, "rows can't be of dtype " + std::string(py::str(dtype)));
}

Rows of_array(const py::array& values, const Scales& scales) {
  if (values.ndim() != 2 || (values.flags() & py::array::c_style) == 0) {
    throw Error(ErrorKind::kInvalid, "rows must be (n, d) and C-contiguous");
  }
  const auto rows = static_cast<std::size_t>(values.shape(0));
  if (scales && (scales->ndim() != 1 || static_cast<std::size_t>(scales->shape(0)) != rows)) {
    throw Error(ErrorKind::kInvalid, "scales must have one entry a row");
  }
  return {std::make_unique<MemoryRows>(values.data(), type_of(values.dtype()), rows,
                                       static_cast<std::size_t>(values.shape(1)),
                                       scales ? scales->data() : nullptr),
          py::make_tuple(values, scales)};
}

Rows of_store(const py::object& store, const std::string& column, const Keys& keys) {
  const auto& handle = store.cast<const StoreHandle&>();
  const std::span<const RowKey> span = key_span(keys);
  std::vector<RowKey> copy(span.begin(), span.end());
  std::unique_ptr<RowSource> source;
  {
    const py::gil_scoped_release release;
    source = std::make_unique<StoreRows>(*handle.store, column, std::move(copy));
  }
  return {std::move(source), py::make_tuple(store)};
}

}  // namespace

void register_rows(py::module_& module) {
  py::class_<Rows>(module, "Rows")
      .def(py::init(&of_array), py::arg("values"), py::arg("scales").noconvert() = py::none())
      .def_static("of_store", &of_store, py::arg("store"), py::arg("column"),
                  py::arg("keys").noconvert())
      .def_property_readonly("shape", [](const Rows& self) {
        return py::make_tuple(self.source().rows(), self.source().cols());
      });
}

}  // namespace zoo::bindings
