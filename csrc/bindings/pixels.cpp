// The pass from pixels to a backbone's input for Python; zoo/engine/pixels.py gives it a face.
#include "zoo/pixels.hpp"

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <optional>

#include "arrays.hpp"
#include "bindings.hpp"
#include "zoo/error.hpp"

namespace py = pybind11;

namespace zoo::bindings {
namespace {

using Box = std::array<double, 4>;
using Size = std::pair<std::size_t, std::size_t>;
using Window = std::tuple<std::ptrdiff_t, std::ptrdiff_t, std::size_t, std::size_t>;

ImageView view_of(const Array<std::uint8_t>& image) {
  if (image.ndim() != 2 && image.ndim() != 3) {
    throw Error(ErrorKind::kInvalid, "an image has 2 or 3 dimensions");
  }
  const auto height = static_cast<std::size_t>(image.shape(0));
  const auto width = static_cast<std::size_t>(image.shape(1));
  const std::size_t channels = image.ndim() == 3 ? static_cast<std::size_t>(image.shape(2)) : 1;
  return {image.data(), width, height, channels, width * channels};
}

// `levels` and `out` as bits: the pass moves values and computes with none of them.
template <typename T>
void prepare(const Context& context, const ImageView& image, const PixelPlan& plan,
             const void* levels, void* out) {
  prepare_pixels<T>(context, image, plan, static_cast<const T*>(levels), static_cast<T*>(out));
}

py::array prepared(const Array<std::uint8_t>& image, const py::array& levels, const Size& resized,
                   const Window& window, int kind, const std::optional<Box>& box, bool planes,
                   bool mirror) {
  if (kind < 0 || kind > static_cast<int>(Filter::kHamming)) {
    throw Error(ErrorKind::kInvalid, "a filter's number is 0 to 5");
  }
  if (levels.ndim() != 2 || levels.shape(0) != 3 || levels.shape(1) != 256 ||
      (levels.flags() & py::array::c_style) == 0) {
    throw Error(ErrorKind::kInvalid, "levels must be a contiguous array of shape (3, 256)");
  }
  const ImageView view = view_of(image);
  PixelPlan plan;
  std::tie(plan.height, plan.width) = resized;
  std::tie(plan.top, plan.left, plan.rows, plan.columns) = window;
  plan.filter = static_cast<Filter>(kind);
  plan.planes = planes;
  plan.mirror = mirror;
  if (box) {
    plan.boxed = true;
    plan.box = *box;
  }
  check_plan(view, plan);
  const auto rows = static_cast<py::ssize_t>(plan.rows);
  const auto columns = static_cast<py::ssize_t>(plan.columns);
  const std::vector<py::ssize_t> shape = planes ? std::vector<py::ssize_t>{3, rows, columns}
                                                : std::vector<py::ssize_t>{rows, columns, 3};
  py::array out(levels.dtype(), shape);
  const Context context = python_context(1);
  const void* from = levels.data();
  void* to = out.mutable_data();
  const py::ssize_t size = levels.itemsize();
  const py::gil_scoped_release release;
  if (size == 4) {
    prepare<float>(context, view, plan, from, to);
  } else if (size == 2) {
    prepare<std::uint16_t>(context, view, plan, from, to);
  } else if (size == 1) {
    prepare<std::uint8_t>(context, view, plan, from, to);
  } else {
    throw Error(ErrorKind::kInvalid, "levels must be of a type of 1, 2 or 4 bytes");
  }
  return out;
}

}  // namespace

void register_pixels(py::module_& module) {
  module.def("prepare_pixels", &prepared, py::arg("image").noconvert(), py::arg("levels"),
             py::kw_only(), py::arg("resized"), py::arg("window"), py::arg("kind"), py::arg("box"),
             py::arg("planes"), py::arg("mirror"));
}

}  // namespace zoo::bindings
