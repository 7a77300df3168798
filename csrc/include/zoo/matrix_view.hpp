// A row-major matrix that somebody else owns.
#pragma once

#include <cstddef>

namespace zoo {

template <typename T>
struct MatrixView {
  const T* data = nullptr;
  std::size_t rows = 0;
  std::size_t cols = 0;
  std::size_t stride = 0;  // elements from one row to the next, at least cols

  [[nodiscard]] const T* row(std::size_t i) const noexcept { return data + i * stride; }
};

}  // namespace zoo
