// Coordinates in which the products of a neighbour search lose least, and what they lose.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "math/pairs.hpp"
#include "zoo/context.hpp"
#include "zoo/matrix_view.hpp"

namespace zoo::detail {

// A placed row, and what bf16 products have of it.
struct PlacedRow {
  double norm = 0.0;    // squared, of the placed row
  double length = 0.0;  // its root
  double rest = 0.0;    // length of what rounding to bf16 takes off; 0 where products are f32's
};

// Around the training rows' mean, scaled by a power of two so that no square overflows or vanishes.
// Distances are the same up to the scale. A difference of two T is right to half an eps of its own
// size, however far from zero they lie.
template <typename T>
class NeighbourFrame {
 public:
  NeighbourFrame(const Context& context, MatrixView<T> train, MatrixView<T> queries);

  // x in here as f32; as bf16 too, in `pairs` (pairs_of(d)), where products are in that.
  PlacedRow place(const T* x, float* to, std::uint32_t* pairs) const;

  [[nodiscard]] const std::vector<PlacedRow>& train() const noexcept { return train_; }
  // The training rows in bf16, 16 a panel, as columns of a PairProduct; empty where products are
  // f32's. Two bytes a value.
  [[nodiscard]] const std::vector<std::uint32_t>& panels() const noexcept { return panels_; }

 private:
  std::vector<T> mean_;
  T scale_ = 1;
  std::vector<PlacedRow> train_;
  std::vector<std::uint32_t> panels_;
};

}  // namespace zoo::detail
