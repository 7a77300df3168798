// The structures are those of DLPack 1.0's binary interface (dmlc.github.io/dlpack).
#include "dlpack.hpp"

#include <utility>

namespace py = pybind11;

namespace zoo::bindings {
namespace {

struct Device {
  std::int32_t type = 1;  // CPU
  std::int32_t id = 0;
};

struct DataType {
  std::uint8_t code = 0;
  std::uint8_t bits = 0;
  std::uint16_t lanes = 1;
};

struct Tensor {
  void* data = nullptr;
  Device device;
  std::int32_t ndim = 0;
  DataType dtype;
  std::int64_t* shape = nullptr;
  std::int64_t* strides = nullptr;
  std::uint64_t byte_offset = 0;
};

struct Managed {
  std::uint32_t major = 1;
  std::uint32_t minor = 0;
  void* context = nullptr;
  void (*deleter)(Managed*) = nullptr;
  std::uint64_t flags = 1;  // read-only
  Tensor tensor;
};

struct Owner {
  Managed managed;
  std::vector<std::int64_t> shape;
  std::vector<std::int64_t> strides;
  std::shared_ptr<const void> keeps;
};

DataType data_type(DType dtype) {
  constexpr std::uint8_t kInt = 0;
  constexpr std::uint8_t kFloat = 2;
  constexpr std::uint8_t kBfloat = 4;
  const auto bits = static_cast<std::uint8_t>(8 * dtype_size(dtype));
  if (dtype == DType::kI8) return {kInt, bits, 1};
  return {dtype == DType::kBF16 ? kBfloat : kFloat, bits, 1};
}

void end_capsule(PyObject* capsule) {
  // Renamed by whoever took the tensor, who then calls the deleter.
  if (PyCapsule_IsValid(capsule, "dltensor_versioned") == 0) return;
  auto* managed = static_cast<Managed*>(PyCapsule_GetPointer(capsule, "dltensor_versioned"));
  managed->deleter(managed);
}

}  // namespace

py::capsule to_dlpack(const void* data, DType dtype, std::vector<std::int64_t> shape,
                      std::shared_ptr<const void> owner, const py::object& max_version) {
  if (max_version.is_none() || py::cast<py::tuple>(max_version)[0].cast<int>() < 1) {
    throw py::buffer_error("the array is read-only, which takes a consumer of DLPack 1.0");
  }
  auto held = std::make_unique<Owner>();
  held->shape = std::move(shape);
  held->strides.assign(held->shape.size(), 1);
  for (std::size_t i = held->shape.size() - 1; i > 0; --i) {
    held->strides[i - 1] = held->strides[i] * held->shape[i];
  }
  held->keeps = std::move(owner);
  Managed& managed = held->managed;
  managed.context = held.get();
  managed.deleter = [](Managed* self) { delete static_cast<Owner*>(self->context); };
  managed.tensor.data = const_cast<void*>(data);
  managed.tensor.ndim = static_cast<std::int32_t>(held->shape.size());
  managed.tensor.dtype = data_type(dtype);
  managed.tensor.shape = held->shape.data();
  managed.tensor.strides = held->strides.data();
  PyObject* capsule = PyCapsule_New(&managed, "dltensor_versioned", &end_capsule);
  if (capsule == nullptr) throw py::error_already_set();
  (void)held.release();  // the capsule's now
  return py::reinterpret_steal<py::capsule>(capsule);
}

}  // namespace zoo::bindings
