// zoo._core: the native core for Python. Every function here is a thin call into zoo/*.hpp.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "bindings.hpp"
#include "zoo/build_info.hpp"
#include "zoo/error.hpp"
#include "zoo/isa.hpp"
#include "zoo/row_norms.hpp"

namespace py = pybind11;

namespace zoo::bindings {

void register_errors(py::module_& module) {
  static py::exception<Error> io(module, "IoError", PyExc_OSError);
  static py::exception<Error> corrupt(module, "CorruptError", PyExc_ValueError);
  static py::exception<Error> unavailable(module, "UnavailableError", PyExc_RuntimeError);
  py::register_exception_translator([](std::exception_ptr pointer) {
    try {
      if (pointer) std::rethrow_exception(pointer);
    } catch (const Error& error) {
      const py::str what = path_text(error.what());
      switch (error.kind()) {
        case ErrorKind::kInvalid:
          PyErr_SetObject(PyExc_ValueError, what.ptr());
          break;
        case ErrorKind::kIo:
          PyErr_SetObject(io.ptr(), py::make_tuple(error.os_code(), what).ptr());
          break;
        case ErrorKind::kCorrupt:
          PyErr_SetObject(corrupt.ptr(), what.ptr());
          break;
        case ErrorKind::kUnavailable:
          PyErr_SetObject(unavailable.ptr(), what.ptr());
          break;
        case ErrorKind::kInterrupted:
          PyErr_SetObject(PyExc_KeyboardInterrupt, what.ptr());
          break;
      }
    }
  });
}

py::array_t<double> row_norms_of(const py::array_t<float, py::array::c_style>& x,
                                 const std::string& device, int threads) {
  if (x.ndim() != 2) throw Error(ErrorKind::kInvalid, "x must have 2 dimensions");
  if (device != "cpu" && device != "cuda") {
    throw Error(ErrorKind::kInvalid, "device is cpu or cuda, not '" + device + "'");
  }
  const MatrixView<float> view{x.data(), static_cast<std::size_t>(x.shape(0)),
                               static_cast<std::size_t>(x.shape(1)),
                               static_cast<std::size_t>(x.shape(1))};
  const Context context = python_context(threads);
  std::vector<double> norms;
  {
    const py::gil_scoped_release release;
    norms = device == "cpu" ? row_norms(context, view) : row_norms_cuda(context, view);
  }
  return py::array_t<double>(static_cast<py::ssize_t>(norms.size()), norms.data());
}

}  // namespace zoo::bindings

PYBIND11_MODULE(_core, module) {
  using namespace zoo::bindings;
  module.doc() = "The native core of zoo. Use it through zoo.engine.";
  register_errors(module);
  module.def("build_info", [] {
    const zoo::BuildInfo info = zoo::build_info();
    py::dict out;
    out["version"] = info.version;
    out["compiler"] = info.compiler;
    out["isa"] = zoo::isa_name();
    out["cuda_built"] = info.cuda_built;
    out["cuda_devices"] = info.cuda_devices;
    return out;
  });
  module.def("row_norms", &row_norms_of, py::arg("x").noconvert(), py::kw_only(),
             py::arg("device") = "cpu", py::arg("threads") = 1);
  register_store(module);
  register_heads(module);
  register_rows(module);
  register_logistic(module);
  register_ridge(module);
  register_pixels(module);
  register_arrow(module);
}
