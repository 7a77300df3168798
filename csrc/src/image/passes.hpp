// Rows of the resized image, one after the other, as far as a window shows them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "image/kernels.hpp"
#include "image/taps.hpp"
#include "zoo/context.hpp"
#include "zoo/pixels.hpp"

namespace zoo::detail {

// A row by its number and its levels, of one byte a pixel where the image is grey and three else.
using RowSink = std::function<void(std::size_t, const std::uint8_t*)>;

// The outputs [begin, end) of an axis.
struct Span {
  std::size_t begin = 0;
  std::size_t end = 0;

  [[nodiscard]] std::size_t count() const noexcept { return end - begin; }
};

// Gives `sink` the rows of the resized image, in order, cut to `columns`; neither span is empty.
void resize_rows(const Context& context, const PixelKernels& kernels, const ImageView& image,
                 const Axis& across, const Axis& down, Filter filter, Span columns, Span rows,
                 const RowSink& sink);

}  // namespace zoo::detail
