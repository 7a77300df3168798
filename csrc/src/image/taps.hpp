// Which source pixels an output pixel is made of along one axis, and by which weights.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "zoo/pixels.hpp"

namespace zoo::detail {

constexpr int kWeightBits = 22;  // 32, less 8 of the pixel and 2 for lobes that overshoot
constexpr std::size_t kGroup = 4;

// Four taps: as int32 weights, and once packed in the form that a kernel takes.
struct alignas(16) WeightGroup {
  std::int32_t weights[kGroup];
};

// Groups of an output beyond its own `counts` are zero.
struct Taps {
  std::vector<std::uint32_t> starts;  // (outputs) first source pixel
  std::vector<std::uint32_t> counts;  // (outputs) groups that are not zero
  std::vector<WeightGroup> groups;    // (outputs, stride)
  std::size_t stride = 0;

  [[nodiscard]] const WeightGroup* of(std::size_t i) const noexcept {
    return groups.data() + i * stride;
  }
};

// An axis of `size` pixels, of which [from, to) becomes `resized`.
struct Axis {
  std::size_t size = 0;
  float from = 0;
  float to = 0;
  std::size_t resized = 0;

  // Whether outputs are the pixels from `from` on, as they are.
  [[nodiscard]] bool unchanged() const noexcept {
    return static_cast<double>(from) == static_cast<double>(static_cast<std::size_t>(from)) &&
           static_cast<double>(to) - static_cast<double>(from) == static_cast<double>(resized);
  }
};

// The taps of outputs [begin, end), by the window of the filter, which is not kNearest.
Taps make_taps(const Axis& axis, Filter filter, std::size_t begin, std::size_t end);

// The source pixels of outputs [begin, end) by the nearest neighbour.
std::vector<std::uint32_t> nearest_pixels(const Axis& axis, std::size_t begin, std::size_t end);

}  // namespace zoo::detail
