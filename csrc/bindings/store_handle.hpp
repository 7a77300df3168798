// A store as Python holds it, and keys as NumPy gives them.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstdint>
#include <optional>
#include <span>

#include "zoo/error.hpp"
#include "zoo/store.hpp"

namespace zoo::bindings {

// Ends with the GIL released: sealing what is buffered may take long.
struct StoreHandle {
  std::optional<Store> store;
  ~StoreHandle() {
    const pybind11::gil_scoped_release release;
    store.reset();
  }
};

using Keys = pybind11::array_t<std::uint8_t, pybind11::array::c_style>;

inline std::span<const RowKey> key_span(const Keys& keys) {
  if (keys.ndim() != 2 || keys.shape(1) != sizeof(RowKey)) {
    throw Error(ErrorKind::kInvalid, "keys must be (n, 16) uint8");
  }
  // RowKey is an array of bytes: no alignment to mind.
  return {reinterpret_cast<const RowKey*>(keys.data()), static_cast<std::size_t>(keys.shape(0))};
}

}  // namespace zoo::bindings
