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
#include "dlpack.hpp"
#include "store_handle.hpp"
#include "zoo/error.hpp"

namespace py = pybind11;

namespace zoo::bindings {
namespace {

using Offsets = std::optional<py::array_t<std::int64_t, py::array::c_style>>;
using Scales = std::optional<py::array_t<float, py::array::c_style>>;
// Name, dtype, values (n, d) or (sum t, d), offsets (n + 1,) of a ragged column, scales of an I8
// one.
using GivenColumn = std::tuple<std::string, std::string, py::array, Offsets, Scales>;

std::size_t byte_size(const py::array& array, const char* what) {
  if ((array.flags() & py::array::c_style) == 0) {
    throw Error(ErrorKind::kInvalid, std::string(what) + " must be C-contiguous");
  }
  return static_cast<std::size_t>(array.nbytes());
}

template <typename T>
std::span<const T> optional_span(const std::optional<py::array_t<T, py::array::c_style>>& array) {
  if (!array) return {};
  return {array->data(), static_cast<std::size_t>(array->size())};
}

ColumnRows column_rows(const GivenColumn& given) {
  const auto& [name, dtype, values, offsets, scales] = given;
  const std::size_t bytes = byte_size(values, "values");
  const DType type = dtype_from_name(dtype);
  if (values.ndim() != 2 || static_cast<std::size_t>(values.itemsize()) != dtype_size(type)) {
    throw Error(ErrorKind::kInvalid, "values must be (n, d) of the column's dtype");
  }
  const ColumnSpec spec{name, type, static_cast<std::size_t>(values.shape(1)), offsets.has_value()};
  return {spec,
          {static_cast<const std::byte*>(values.data()), bytes},
          optional_span(offsets),
          optional_span(scales)};
}

RowBuffers row_buffers(py::array& values, const Offsets& offsets, Scales& scales) {
  const std::size_t bytes = byte_size(values, "values");
  RowBuffers out{
      {static_cast<std::byte*>(values.mutable_data()), bytes}, optional_span(offsets), {}};
  if (scales) out.scales = {scales->mutable_data(), static_cast<std::size_t>(scales->size())};
  return out;
}

py::list pairs(const std::vector<Damage>& damaged) {
  py::list out;
  for (const Damage& each : damaged) {
    out.append(py::make_tuple(path_text(each.shard), path_text(each.why)));
  }
  return out;
}

std::unique_ptr<StoreHandle> open(const py::bytes& path, std::uint64_t shard_bytes,
                                  double seal_seconds, std::uint64_t resident_bytes,
                                  bool read_only) {
  if (!(seal_seconds >= 0 && seal_seconds <= 1e9)) {
    throw Error(ErrorKind::kInvalid, "seal_seconds must be from 0 to 1e9");
  }
  auto handle = std::make_unique<StoreHandle>();
  StoreOptions options;
  options.shard_bytes = shard_bytes;
  options.resident_bytes = resident_bytes;
  options.read_only = read_only;
  options.seal_ns = static_cast<std::uint64_t>(seal_seconds * 1e9);
  const std::string folder = path;
  const py::gil_scoped_release release;
  handle->store.emplace(folder, options);
  return handle;
}

py::array_t<bool> contains(const StoreHandle& self, const Keys& keys, const std::string& column) {
  const std::span<const RowKey> span = key_span(keys);
  py::array_t<bool> out(keys.shape(0));
  const std::span<std::uint8_t> bytes(reinterpret_cast<std::uint8_t*>(out.mutable_data()),
                                      span.size());
  const py::gil_scoped_release release;
  self.store->contains(span, column, bytes);
  return out;
}

std::size_t append(StoreHandle& self, const Keys& keys, const std::vector<GivenColumn>& given) {
  const std::span<const RowKey> span = key_span(keys);
  std::vector<ColumnRows> columns;
  for (const GivenColumn& each : given) columns.push_back(column_rows(each));
  const Context context = python_context(1);
  const py::gil_scoped_release release;
  return self.store->append(context, span, columns);
}

std::size_t gather(const StoreHandle& self, const Keys& keys, const std::string& column,
                   py::array values, const Offsets& offsets, Scales scales, int threads) {
  const std::span<const RowKey> span = key_span(keys);
  const RowBuffers out = row_buffers(values, offsets, scales);
  const Context context = python_context(threads);
  const py::gil_scoped_release release;
  return self.store->gather(context, span, column, out);
}

std::size_t lengths(const StoreHandle& self, const Keys& keys, const std::string& column,
                    py::array_t<std::int64_t, py::array::c_style> out) {
  const std::span<const RowKey> span = key_span(keys);
  const std::span<std::int64_t> numbers(out.mutable_data(), static_cast<std::size_t>(out.size()));
  const Context context = python_context(1);
  const py::gil_scoped_release release;
  return self.store->lengths(context, span, column, numbers);
}

void read_block(Scan& self, py::array_t<std::uint8_t, py::array::c_style> keys, py::array values,
                std::optional<py::array_t<std::int64_t, py::array::c_style>> offsets, Scales scales,
                int threads) {
  const std::span<const RowKey> span = key_span(keys);
  const std::span<RowKey> to(reinterpret_cast<RowKey*>(keys.mutable_data()), span.size());
  const RowBuffers out = row_buffers(values, std::nullopt, scales);
  std::span<std::int64_t> places;
  if (offsets) places = {offsets->mutable_data(), static_cast<std::size_t>(offsets->size())};
  const Context context = python_context(threads);
  const py::gil_scoped_release release;
  self.read(context, to, out, places);
}

// A read-only array over a view's memory, which it keeps mapped.
template <typename T>
py::array view_array(const ShardView& view, std::span<const T> data,
                     std::vector<py::ssize_t> shape) {
  auto keeps = std::make_unique<std::shared_ptr<const Mapping>>(view.file);
  const py::capsule base(
      keeps.get(), [](void* held) { delete static_cast<std::shared_ptr<const Mapping>*>(held); });
  (void)keeps.release();
  py::array_t<T> array(std::move(shape), data.data(), base);
  array.attr("setflags")(py::arg("write") = false);
  return array;
}

template <typename T>
std::span<const T> as(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
}

py::array view_values(const ShardView& view) {
  const auto dim = static_cast<py::ssize_t>(view.spec.dim);
  const auto values = static_cast<py::ssize_t>(view.values.size() / dtype_size(view.spec.dtype));
  const std::vector<py::ssize_t> shape{values / dim, dim};
  switch (view.spec.dtype) {
    case DType::kF32:
      return view_array(view, as<float>(view.values), shape);
    case DType::kI8:
      return view_array(view, as<std::int8_t>(view.values), shape);
    case DType::kF16:
      return view_array(view, as<std::uint16_t>(view.values), shape).attr("view")("float16");
    case DType::kBF16:
      break;
  }
  return view_array(view, as<std::uint16_t>(view.values), shape);
}

void register_views(py::module_& module) {
  py::class_<ShardView>(module, "ShardView")
      .def_property_readonly("shard", [](const ShardView& self) { return path_text(self.shard); })
      .def_property_readonly(
          "dtype", [](const ShardView& self) { return std::string(dtype_name(self.spec.dtype)); })
      .def_property_readonly("keys",
                             [](const ShardView& self) {
                               const std::span bytes(
                                   reinterpret_cast<const std::uint8_t*>(self.keys.data()),
                                   self.keys.size_bytes());
                               const auto rows = static_cast<py::ssize_t>(self.keys.size());
                               return view_array(self, bytes, {rows, sizeof(RowKey)});
                             })
      .def_property_readonly("values", &view_values)
      .def_property_readonly("offsets",
                             [](const ShardView& self) -> py::object {
                               if (!self.spec.ragged) return py::none();
                               const auto size = static_cast<py::ssize_t>(self.offsets.size());
                               return view_array(self, self.offsets, {size});
                             })
      .def_property_readonly("scales",
                             [](const ShardView& self) -> py::object {
                               if (self.spec.dtype != DType::kI8) return py::none();
                               const auto size = static_cast<py::ssize_t>(self.scales.size());
                               return view_array(self, self.scales, {size});
                             })
      .def(
          "dlpack",
          [](const ShardView& self, const py::object& max_version) {
            const auto dim = static_cast<std::int64_t>(self.spec.dim);
            const auto count =
                static_cast<std::int64_t>(self.values.size() / dtype_size(self.spec.dtype));
            return to_dlpack(self.values.data(), self.spec.dtype, {count / dim, dim}, self.file,
                             max_version);
          },
          py::arg("max_version"));
  py::class_<Scan>(module, "Scan")
      .def("next",
           [](Scan& self, std::size_t most) {
             Scan::Size size;
             {
               const py::gil_scoped_release release;
               size = self.next(most);
             }
             return py::make_tuple(size.rows, size.vectors);
           })
      .def("read", &read_block, py::arg("keys").noconvert(), py::arg("values"),
           py::arg("offsets").noconvert() = py::none(), py::arg("scales").noconvert() = py::none(),
           py::kw_only(), py::arg("threads") = 1);
}

py::tuple verify(const StoreHandle& self, int threads) {
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
  register_views(module);
  py::class_<StoreHandle>(module, "Store")
      .def(py::init(&open), py::arg("folder"), py::kw_only(),
           py::arg("shard_bytes") = defaults.shard_bytes,
           py::arg("seal_seconds") = static_cast<double>(defaults.seal_ns) / 1e9,
           py::arg("resident_bytes") = defaults.resident_bytes,
           py::arg("read_only") = defaults.read_only)
      .def("contains", &contains, py::arg("keys").noconvert(), py::arg("column"))
      .def("append", &append, py::arg("keys").noconvert(), py::arg("columns"))
      .def("lengths", &lengths, py::arg("keys").noconvert(), py::arg("column"),
           py::arg("out").noconvert())
      .def("gather", &gather, py::arg("keys").noconvert(), py::arg("column"), py::arg("values"),
           py::arg("offsets").noconvert() = py::none(), py::arg("scales").noconvert() = py::none(),
           py::kw_only(), py::arg("threads") = 1)
      .def(
          "scan",
          [](const StoreHandle& self, const std::string& column) {
            const py::gil_scoped_release release;
            return self.store->scan(column);
          },
          py::arg("column"))
      .def(
          "views",
          [](const StoreHandle& self, const std::string& column) {
            const py::gil_scoped_release release;
            return self.store->views(column);
          },
          py::arg("column"))
      .def("compact",
           [](StoreHandle& self) {
             const Context context = python_context(1);
             CompactReport report;
             {
               const py::gil_scoped_release release;
               report = self.store->compact(context);
             }
             return py::make_tuple(report.before, report.after, report.rows);
           })
      .def(
          "spec",
          [](const StoreHandle& self, const std::string& column) -> py::object {
            ColumnSpec spec;
            bool found = false;
            {
              const py::gil_scoped_release release;
              found = self.store->find_column(column, spec);
            }
            if (!found) return py::none();
            return py::make_tuple(dtype_name(spec.dtype), spec.dim, spec.ragged);
          },
          py::arg("column"))
      .def("flush",
           [](StoreHandle& self) {
             const Context context = python_context(1);
             const py::gil_scoped_release release;
             self.store->flush(context);
           })
      .def("close",
           [](StoreHandle& self) {
             const Context context = python_context(1);
             const py::gil_scoped_release release;
             self.store->close(context);
           })
      .def(
          "refresh", [](StoreHandle& self) { self.store->refresh(); }, Release())
      .def("columns",
           [](const StoreHandle& self) {
             std::vector<std::tuple<std::string, std::string, std::size_t, std::size_t, bool>> out;
             const py::gil_scoped_release release;
             for (const ColumnInfo& each : self.store->columns()) {
               out.emplace_back(each.spec.name, dtype_name(each.spec.dtype), each.spec.dim,
                                each.rows, each.spec.ragged);
             }
             return out;
           })
      .def("damaged",
           [](const StoreHandle& self) {
             std::vector<Damage> damaged;
             {
               const py::gil_scoped_release release;
               damaged = self.store->damaged();
             }
             return pairs(damaged);
           })
      .def(
          "shard_count", [](const StoreHandle& self) { return self.store->shard_count(); },
          Release())
      .def(
          "byte_count", [](const StoreHandle& self) { return self.store->byte_count(); }, Release())
      .def("verify", &verify, py::kw_only(), py::arg("threads") = 1);
}

}  // namespace zoo::bindings
