// A read-only array handed over by DLPack: what NumPy has no type for (bfloat16) reaches torch so.
#pragma once

#include <pybind11/pybind11.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "zoo/store.hpp"

namespace zoo::bindings {

// A capsule over `data`, kept valid by `owner`. Throws BufferError for a consumer that does not
// know of read-only tensors: one before DLPack 1.0 might write into the mapping.
[[nodiscard]] pybind11::capsule to_dlpack(const void* data, DType dtype,
                                          std::vector<std::int64_t> shape,
                                          std::shared_ptr<const void> owner,
                                          const pybind11::object& max_version);

}  // namespace zoo::bindings
