// Pixels that another library shares by Arrow's C data interface, as a NumPy array: no copy is
// made.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <string_view>

#include "bindings.hpp"
#include "zoo/error.hpp"

namespace py = pybind11;

namespace zoo::bindings {
namespace {

// The two structures of the interface, whose layout is stable.
struct ArrowSchema {
  const char* format;
  const char* name;
  const char* metadata;
  std::int64_t flags;
  std::int64_t n_children;
  ArrowSchema** children;
  ArrowSchema* dictionary;
  void (*release)(ArrowSchema*);
  void* private_data;
};

struct ArrowArray {
  std::int64_t length;
  std::int64_t null_count;
  std::int64_t offset;
  std::int64_t n_buffers;
  std::int64_t n_children;
  const void** buffers;
  ArrowArray** children;
  ArrowArray* dictionary;
  void (*release)(ArrowArray*);
  void* private_data;
};

// (height, width, 4) bytes: a list of four uint8 a pixel, rows without gaps. Alive with `array`.
py::array arrow_pixels(const py::capsule& schema, const py::capsule& array, py::ssize_t height,
                       py::ssize_t width) {
  if (schema.name() == nullptr || std::string_view(schema.name()) != "arrow_schema" ||
      array.name() == nullptr || std::string_view(array.name()) != "arrow_array") {
    throw Error(ErrorKind::kInvalid, "not a pair of Arrow capsules");
  }
  const auto* type = schema.get_pointer<ArrowSchema>();
  const auto* held = array.get_pointer<ArrowArray>();
  const bool lists = type->release != nullptr && type->format != nullptr &&
                     std::string_view(type->format) == "+w:4" && type->n_children == 1 &&
                     std::string_view(type->children[0]->format) == "C";
  if (!lists || held->release == nullptr || held->n_children != 1 || held->offset != 0) {
    throw Error(ErrorKind::kInvalid, "not pixels of four bytes");
  }
  const ArrowArray* bytes = held->children[0];
  if (height < 1 || width < 1 || held->length / height != width || held->length % height != 0 ||
      bytes->length / 4 != held->length || bytes->length % 4 != 0 || bytes->offset != 0 ||
      bytes->n_buffers != 2 || bytes->buffers[1] == nullptr) {
    throw Error(ErrorKind::kInvalid, "shared pixels of another size");
  }
  return py::array(py::dtype::of<std::uint8_t>(), {height, width, py::ssize_t{4}},
                   bytes->buffers[1], array);
}

}  // namespace

void register_arrow(py::module_& module) {
  module.def("arrow_pixels", &arrow_pixels, py::arg("schema"), py::arg("array"), py::kw_only(),
             py::arg("height"), py::arg("width"));
}

}  // namespace zoo::bindings
