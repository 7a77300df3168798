// The feature store for Python: arrays in and out without copies, the GIL released throughout.
#include "zoo/store.hpp"

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "bindings.hpp"
#include "zoo/error.hpp"

namespace py = pybind11;

namespace zoo::bindings {
namespace {

using Keys = py::array_t<std::uint8_t, py::array::c_style>;
using GivenColumn = std::tuple<std::string, std::string, py::array>;  // name, dtype, (n, d)

std::span<const RowKey> key_span(const Keys& keys) {
  if (keys.ndim() != 2 || keys.shape(1) != sizeof(RowKey)) {
    throw Error(ErrorKind::kInvalid, "keys must be (n, 16) uint8");
  }
  // RowKey is an array of bytes: no alignment to mind.
  return {reinterpret_cast<const RowKey*>(keys.data()), static_cast<std::size_t>(keys.shape(0))};
}

std::size_t byte_size(const py::array& array, const char* what) {
  if ((array.flags() & py::array::c_style) == 0) {
    throw Error(ErrorKind::kInvalid, std::string(what) + " must be C-contiguous");
  }
  return static_cast<std::size_t>(array.nbytes());
}

ColumnRows column_rows(const GivenColumn& given) {
  const auto& [name, dtype, values] = given;
  const std::size_t bytes = byte_size(values, "values");
  const DType type = dtype_from_name(dtype);
  if (values.ndim() != 2 || static_cast<std::size_t>(values.itemsize()) != dtype_size(type)) {
    throw Error(ErrorKind::kInvalid, "values must be (n, d) of the column's dtype");
  }
  return {{name, type, static_cast<std::size_t>(values.shape(1))},
          {static_cast<const std::byte*>(values.data()), bytes}};
}

std::vector<std::pair<std::string, std::string>> pairs(const std::vector<Damage>& damaged) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const Damage& each : damaged) out.emplace_back(each.shard, each.why);
  return out;
}

// Ends with the GIL released: sealing what is buffered may take long.
struct Handle {
  std::optional<Store> store;
  ~Handle() {
    const py::gil_scoped_release release;
    store.reset();
  }
};

std::unique_ptr<Handle> open(const std::string& folder, std::uint64_t shard_bytes,
                             double seal_seconds) {
  if (!(seal_seconds >= 0 && seal_seconds <= 1e9)) {
    throw Error(ErrorKind::kInvalid, "seal_seconds must be from 0 to 1e9");
  }
  auto handle = std::make_unique<Handle>();
  StoreOptions options;
  options.shard_bytes = shard_bytes;
  options.seal_ns = static_cast<std::uint64_t>(seal_seconds * 1e9);
  const py::gil_scoped_release release;
  handle->store.emplace(folder, options);
  return handle;
}

py::array_t<bool> contains(const Handle& self, const Keys& keys, const std::string& column) {
  const std::span<const RowKey> span = key_span(keys);
  py::array_t<bool> out(keys.shape(0));
  const std::span<std::uint8_t> bytes(reinterpret_cast<std::uint8_t*>(out.mutable_data()),
                                      span.size());
  const py::gil_scoped_release release;
  self.store->contains(span, column, bytes);
  return out;
}

std::size_t append(Handle& self, const Keys& keys, const std::vector<GivenColumn>& given) {
  const std::span<const RowKey> span = key_span(keys);
  std::vector<ColumnRows> columns;
  for (const GivenColumn& each : given) columns.push_back(column_rows(each));
  const Context context = python_context(1);
  const py::gil_scoped_release release;
  return self.store->append(context, span, columns);
}

std::size_t gather(const Handle& self, const Keys& keys, const std::string& column, py::array out,
                   int threads) {
  const std::span<const RowKey> span = key_span(keys);
  const std::size_t bytes = byte_size(out, "out");
  const std::span<std::byte> values(static_cast<std::byte*>(out.mutable_data()), bytes);
  const Context context = python_context(threads);
  const py::gil_scoped_release release;
  return self.store->gather(context, span, column, values);
}

py::tuple verify(const Handle& self, int threads) {
  const Context context = python_context(threads);
  VerifyReport report;
  {
    const py::gil_scoped_release release;
    report = self.store->verify(context);
  }
  return py::make_tuple(report.shards, report.rows, report.bytes, pairs(report.damaged));
}

}  // namespace

void register_store(py::module_& module) {
  using Release = py::call_guard<py::gil_scoped_release>;
  const StoreOptions defaults;
  py::class_<Handle>(module, "Store")
      .def(py::init(&open), py::arg("folder"), py::kw_only(),
           py::arg("shard_bytes") = defaults.shard_bytes,
           py::arg("seal_seconds") = static_cast<double>(defaults.seal_ns) / 1e9)
      .def("contains", &contains, py::arg("keys").noconvert(), py::arg("column"))
      .def("append", &append, py::arg("keys").noconvert(), py::arg("columns"))
      .def("gather", &gather, py::arg("keys").noconvert(), py::arg("column"), py::arg("out"),
           py::kw_only(), py::arg("threads") = 1)
      .def("flush",
           [](Handle& self) {
             const Context context = python_context(1);
             const py::gil_scoped_release release;
             self.store->flush(context);
           })
      .def("close",
           [](Handle& self) {
             const Context context = python_context(1);
             const py::gil_scoped_release release;
             self.store->close(context);
           })
      .def(
          "refresh", [](Handle& self) { self.store->refresh(); }, Release())
      .def("columns",
           [](const Handle& self) {
             std::vector<std::tuple<std::string, std::string, std::size_t, std::size_t>> out;
             const py::gil_scoped_release release;
             for (const ColumnInfo& each : self.store->columns()) {
               out.emplace_back(each.spec.name, dtype_name(each.spec.dtype), each.spec.dim,
                                each.rows);
             }
             return out;
           })
      .def("damaged",
           [](const Handle& self) {
             const py::gil_scoped_release release;
             return pairs(self.store->damaged());
           })
      .def(
          "shard_count", [](const Handle& self) { return self.store->shard_count(); }, Release())
      .def(
          "byte_count", [](const Handle& self) { return self.store->byte_count(); }, Release())
      .def("verify", &verify, py::kw_only(), py::arg("threads") = 1);
}

}  // namespace zoo::bindings
