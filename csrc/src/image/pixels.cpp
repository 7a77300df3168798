#include "zoo/pixels.hpp"

#include <algorithm>
#include <string>

#include "image/passes.hpp"
#include "image/taps.hpp"
#include "zoo/error.hpp"

namespace zoo {
namespace {

using detail::Axis;
using detail::Span;

constexpr std::size_t kMaxSide = std::size_t{1} << 24U;  // every whole number is a float32 up to it

// The outputs of an axis that a window from `from` on shows.
Span shown(std::ptrdiff_t from, std::size_t window, std::size_t axis) {
  const auto size = static_cast<std::ptrdiff_t>(axis);
  const std::ptrdiff_t begin = std::clamp<std::ptrdiff_t>(from, 0, size);
  const std::ptrdiff_t end =
      std::clamp<std::ptrdiff_t>(from + static_cast<std::ptrdiff_t>(window), begin, size);
  return {static_cast<std::size_t>(begin), static_cast<std::size_t>(end)};
}

// Where in the window the first of them lies.
std::size_t offset_of(const Span& span, std::ptrdiff_t from) {
  return static_cast<std::size_t>(static_cast<std::ptrdiff_t>(span.begin) - from);
}

void check_side(std::size_t side, const char* what) {
  if (side == 0 || side > kMaxSide) {
    throw Error(ErrorKind::kInvalid, std::string(what) + " must be 1 to " +
                                         std::to_string(kMaxSide) + " pixels, not " +
                                         std::to_string(side));
  }
}

// Rows of levels into the output: the tables, the order of channels and the layout.
template <typename T>
class Writer {
 public:
  Writer(const PixelPlan& plan, std::size_t channels, const T* levels, T* out)
      : plan_(plan), channels_(channels), levels_(levels), out_(out) {
    for (std::size_t c = 0; c < 3; ++c) {
      source_[c] = channels == 1 ? 0 : plan.mirror ? 2 - c : c;
    }
  }

  // All of the window that `columns` and `rows` leave out.
  void blank(const Span& columns, const Span& rows) const {
    if (columns.count() == plan_.columns && rows.count() == plan_.rows) return;
    const std::size_t plane = plan_.rows * plan_.columns;
    for (std::size_t c = 0; c < 3; ++c) {
      for (std::size_t i = 0; i < plane; ++i) {
        out_[plan_.planes ? c * plane + i : 3 * i + c] = levels_[256 * c];
      }
    }
  }

  // Levels of `count` pixels into a row of the window, from a column on.
  void row(std::size_t y, std::size_t x, const std::uint8_t* from, std::size_t count) const {
    const std::size_t plane = plan_.rows * plan_.columns, at = y * plan_.columns + x;
    const std::size_t step = plan_.planes ? 1 : 3, apart = plan_.planes ? plane : 1;
    T* to = out_ + at * step;
    const std::uint8_t *a = from + source_[0], *b = from + source_[1], *c = from + source_[2];
    for (std::size_t i = 0; i < count; ++i) {
      to[i * step] = levels_[a[i * channels_]];
      to[i * step + apart] = levels_[256 + b[i * channels_]];
      to[i * step + 2 * apart] = levels_[512 + c[i * channels_]];
    }
  }

 private:
  const PixelPlan& plan_;
  std::size_t channels_;  // of the rows that come in
  const T* levels_;
  T* out_;
  std::size_t source_[3] = {};
};

struct Axes {
  Axis across;
  Axis down;
};

Axes axes_of(const ImageView& image, const PixelPlan& plan) {
  std::array<double, 4> box = {0, 0, static_cast<double>(image.width),
                               static_cast<double>(image.height)};
  if (plan.boxed) box = plan.box;
  const auto edge = [&](std::size_t i) { return static_cast<float>(box[i]); };
  return {{image.width, edge(0), edge(2), plan.width},
          {image.height, edge(1), edge(3), plan.height}};
}

}  // namespace

void check_plan(const ImageView& image, const PixelPlan& plan) {
  check_side(image.width, "the image's width");
  check_side(image.height, "the image's height");
  check_side(plan.width, "the resized width");
  check_side(plan.height, "the resized height");
  check_side(plan.columns, "the window's width");
  check_side(plan.rows, "the window's height");
  const auto most = static_cast<std::ptrdiff_t>(kMaxSide);
  if (plan.left < -most || plan.left > most || plan.top < -most || plan.top > most) {
    throw Error(ErrorKind::kInvalid, "the window lies too far from the image");
  }
  if (image.channels != 1 && image.channels != 3 && image.channels != 4) {
    throw Error(ErrorKind::kInvalid,
                "an image has 1, 3 or 4 bytes a pixel, not " + std::to_string(image.channels));
  }
  if (image.stride < image.width * image.channels) {
    throw Error(ErrorKind::kInvalid, "the image's rows overlap");
  }
  if (plan.boxed) {
    const auto [left, top, right, bottom] = plan.box;
    const bool inside = left >= 0 && top >= 0 && right <= static_cast<double>(image.width) &&
                        bottom <= static_cast<double>(image.height);
    if (!inside || !(static_cast<float>(left) < static_cast<float>(right)) ||
        !(static_cast<float>(top) < static_cast<float>(bottom))) {  // NaN is neither
      throw Error(ErrorKind::kInvalid, "the box is empty or leaves the image");
    }
  }
}

template <typename T>
void prepare_pixels(const Context& context, const ImageView& image, const PixelPlan& plan,
                    const T* levels, T* out) {
  check_plan(image, plan);
  const Axes axes = axes_of(image, plan);
  const Span columns = shown(plan.left, plan.columns, plan.width);
  const Span rows = shown(plan.top, plan.rows, plan.height);
  const Writer<T> writer(plan, image.channels == 1 ? 1 : 3, levels, out);
  writer.blank(columns, rows);
  if (columns.count() == 0 || rows.count() == 0) return;
  const std::size_t x = offset_of(columns, plan.left), y = offset_of(rows, plan.top);
  detail::resize_rows(
      context, detail::pixel_kernels(), image, axes.across, axes.down, plan.filter, columns, rows,
      [&](std::size_t i, const std::uint8_t* row) { writer.row(y + i, x, row, columns.count()); });
}

template void prepare_pixels(const Context&, const ImageView&, const PixelPlan&,
                             const std::uint8_t*, std::uint8_t*);
template void prepare_pixels(const Context&, const ImageView&, const PixelPlan&,
                             const std::uint16_t*, std::uint16_t*);
template void prepare_pixels(const Context&, const ImageView&, const PixelPlan&, const float*,
                             float*);

}  // namespace zoo
