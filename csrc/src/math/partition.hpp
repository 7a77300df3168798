// How rows are cut into blocks whose number depends on the rows alone, never on the threads.
#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>

#include "zoo/error.hpp"

namespace zoo {

class Partition {
 public:
  Partition(std::size_t rows, std::size_t tile, std::size_t most)
      : rows_(rows),
        tile_(tile),
        tiles_((rows + tile - 1) / tile),
        count_(std::min(most, tiles_)) {}
  [[nodiscard]] std::size_t count() const noexcept { return count_; }
  [[nodiscard]] std::size_t begin(std::size_t block) const noexcept {
    return std::min(rows_, block * tiles_ / count_ * tile_);
  }
  [[nodiscard]] std::size_t end(std::size_t block) const noexcept { return begin(block + 1); }

 private:
  std::size_t rows_;
  std::size_t tile_;
  std::size_t tiles_;
  std::size_t count_;
};

inline std::size_t checked_product(std::size_t a, std::size_t b) {
  if (b != 0 && a > std::numeric_limits<std::size_t>::max() / sizeof(double) / b) {
    throw Error(ErrorKind::kInvalid, "a matrix of this shape does not fit in memory");
  }
  return a * b;
}

}  // namespace zoo
