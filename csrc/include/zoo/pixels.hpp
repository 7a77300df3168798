// From 8-bit pixels to a backbone's input in one pass: resize, crop, normalise, layout and type.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "zoo/context.hpp"

namespace zoo {

// Pillow's filters, by Pillow's numbers.
enum class Filter {
  kNearest = 0,
  kLanczos = 1,
  kBilinear = 2,
  kBicubic = 3,
  kBox = 4,
  kHamming = 5
};

// An image that somebody else owns. `channels` is 1 (grey), 3 (RGB) or 4 (RGB and a byte that is
// ignored); pixels of a row lie side by side, rows `stride` bytes apart.
struct ImageView {
  const std::uint8_t* data = nullptr;
  std::size_t width = 0;
  std::size_t height = 0;
  std::size_t channels = 3;
  std::size_t stride = 0;
};

struct PixelPlan {
  // What is resized: the whole image, or the part between these edges, in pixels of the source.
  // They are rounded to float32, as Pillow does.
  bool boxed = false;
  std::array<double, 4> box{};  // left, top, right, bottom
  // The size of the whole after resizing.
  std::size_t width = 0;
  std::size_t height = 0;
  Filter filter = Filter::kBilinear;
  // What is cut out of it. Where it lies outside, levels are 0.
  std::ptrdiff_t left = 0;
  std::ptrdiff_t top = 0;
  std::size_t columns = 0;
  std::size_t rows = 0;
  bool planes = true;   // (channel, row, column), else (row, column, channel)
  bool mirror = false;  // channels come out as blue, green, red
};

// Throws Error(kInvalid) where a size is 0 or above 2^24, or the box is empty or leaves the image.
void check_plan(const ImageView& image, const PixelPlan& plan);

// Writes 3 * rows * columns values to `out`: that of level v in the output's channel c is
// levels[256 * c + v]. T is any type of 1, 2 or 4 bytes: uint8, the bits of float16, float32.
//
// Levels are those of Pillow's Image.resize(reducing_gap=None) to the last bit: weights in f64,
// normalised, rounded to 22 bits; 32-bit sums; horizontal before vertical with 8 bits between.
// Only rows and columns that the window needs are computed. Takes memory for two rows a tap, never
// for the resized image. Uses one thread whatever the context allows: images run side by side.
// Throws what `check_plan` throws.
template <typename T>
void prepare_pixels(const Context& context, const ImageView& image, const PixelPlan& plan,
                    const T* levels, T* out);

}  // namespace zoo
