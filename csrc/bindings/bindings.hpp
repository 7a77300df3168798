// What the binding files share: registration functions and a Context that hears Ctrl-C.
#pragma once

#include <pybind11/pybind11.h>

#include <chrono>
#include <string>

#include "zoo/context.hpp"

namespace zoo::bindings {

void register_store(pybind11::module_& module);

// A Context whose poll runs Python's signal handlers at most every 50 ms. Made with the GIL held,
// polled without it; a handler that raises (Ctrl-C) ends the native work with its exception.
inline Context python_context(int threads) {
  using Clock = std::chrono::steady_clock;
  Context context;
  context.threads = threads;
  context.poll = [last = Clock::now()]() mutable {
    const auto now = Clock::now();
    if (now - last < std::chrono::milliseconds(50)) return;
    last = now;
    const pybind11::gil_scoped_acquire acquire;
    if (PyErr_CheckSignals() != 0) throw pybind11::error_already_set();
  };
  return context;
}

// A text that may hold a path: its bytes that are no UTF-8 become what Python makes of them.
inline pybind11::str path_text(const std::string& text) {
  PyObject* decoded =
      PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "surrogateescape");
  if (decoded == nullptr) throw pybind11::error_already_set();
  return pybind11::reinterpret_steal<pybind11::str>(decoded);
}

void register_arrow(pybind11::module_& module);
void register_heads(pybind11::module_& module);
void register_logistic(pybind11::module_& module);
void register_pixels(pybind11::module_& module);
void register_ridge(pybind11::module_& module);
void register_rows(pybind11::module_& module);

}  // namespace zoo::bindings
