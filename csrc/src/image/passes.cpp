#include "image/passes.hpp"

#include <algorithm>
#include <vector>

namespace zoo::detail {
namespace {

// Pillow 13 and later: where this saves most, the vertical pass comes first. As each pass rounds to
// 8 bits, the order shows in the result. The rule looks at the image, not at the box in it.
bool down_first(const Axis& across, const Axis& down) {
  if (down.size <= down.resized) return false;
  const std::size_t narrowed = across.size > across.resized ? across.size - across.resized : 0;
  return down.size - down.resized > 2 * narrowed;
}

std::size_t padded(std::size_t bytes) { return (bytes + kRowAlign - 1) / kRowAlign * kRowAlign; }

// The rows of an image that somebody else owns, each with `kReadBeyond` bytes behind it that may be
// read: those at the image's end are copied.
class SourceRows {
 public:
  explicit SourceRows(const ImageView& image) : image_(image), used_(image.width * image.channels) {
    const std::size_t near = (kReadBeyond + image.stride - 1) / image.stride;
    copied_ = image.height - std::min(image.height, near);
    tail_.resize((image.height - copied_) * (used_ + kReadBeyond));
    for (std::size_t i = copied_; i < image.height; ++i) {
      std::copy_n(image.data + i * image.stride, used_, tail(i));
    }
  }

  [[nodiscard]] const std::uint8_t* row(std::size_t i) noexcept {
    return i < copied_ ? image_.data + i * image_.stride : tail(i);
  }

 private:
  std::uint8_t* tail(std::size_t i) noexcept {
    return tail_.data() + (i - copied_) * (used_ + kReadBeyond);
  }

  const ImageView& image_;
  std::size_t used_;
  std::size_t copied_ = 0;  // the first row that is
  std::vector<std::uint8_t> tail_;
};

// Pixels as a resize gives them: without the fourth byte.
void copy_pixels(const std::uint8_t* from, std::size_t channels, std::size_t count,
                 std::uint8_t* to) {
  const std::size_t kept = std::min<std::size_t>(channels, 3);
  for (std::size_t x = 0; x < count; ++x) {
    for (std::size_t c = 0; c < kept; ++c) to[x * kept + c] = from[x * channels + c];
  }
}

// The source's rows, resized horizontally, as many of the last as the vertical pass looks at.
class NarrowedRows {
 public:
  // Without taps, columns are taken as they are, from `first` on.
  NarrowedRows(const ImageView& image, const PixelKernels& kernels, const Taps* taps,
               std::size_t first, std::size_t columns, std::size_t kept)
      : image_(image),
        source_(image),
        kernels_(kernels),
        taps_(taps),
        first_(first),
        columns_(columns),
        kept_(kept + kSideBySide),
        stride_(padded(columns * 3 + 3)),
        memory_(kept_ * stride_) {}

  // The next row to be made; those before are not needed.
  void start(std::size_t row) noexcept { next_ = row; }

  // Makes rows up to `end`, some at a time.
  void reach(std::size_t end) {
    for (; next_ < end; next_ += kSideBySide) make();
  }

  // One of the last `kept` rows made.
  [[nodiscard]] const std::uint8_t* row(std::size_t i) const noexcept {
    return memory_.data() + i % kept_ * stride_;
  }

 private:
  void make() {
    const std::uint8_t* from[kSideBySide];
    std::uint8_t* to[kSideBySide];
    for (std::size_t r = 0; r < kSideBySide; ++r) {
      from[r] = source_.row(std::min(next_ + r, image_.height - 1));
      to[r] = memory_.data() + (next_ + r) % kept_ * stride_;
    }
    if (taps_ != nullptr) return kernels_.across(from, image_.channels, *taps_, to);
    for (std::size_t r = 0; r < kSideBySide; ++r) {
      copy_pixels(from[r] + first_ * image_.channels, image_.channels, columns_, to[r]);
    }
  }

  const ImageView& image_;
  SourceRows source_;
  const PixelKernels& kernels_;
  const Taps* taps_;
  std::size_t first_;
  std::size_t columns_;
  std::size_t kept_;
  std::size_t stride_;
  std::vector<std::uint8_t> memory_;
  std::size_t next_ = 0;
};

// The vertical pass of one output row; `row_of` gives a source row by its number.
template <typename RowOf>
void make_row(const PixelKernels& kernels, const Taps& taps, std::size_t y, std::size_t height,
              std::size_t width, const RowOf& row_of, std::vector<const std::uint8_t*>& window,
              std::uint8_t* out) {
  const std::size_t start = taps.starts[y], count = taps.counts[y];
  const std::size_t last = std::min(start + count * kGroup, height) - 1;
  window.clear();
  for (std::size_t t = 0; t < count * kGroup; ++t) {  // taps past the image weigh nothing
    window.push_back(row_of(std::min(start + t, last)));
  }
  kernels.down(window.data(), taps.of(y), count, width, out);
}

Taps packed_taps(const PixelKernels& kernels, const Axis& axis, Filter filter, Span span) {
  Taps taps = make_taps(axis, filter, span.begin, span.end);
  kernels.pack(taps.groups.data(), taps.groups.size());
  return taps;
}

struct Passes {
  const Context& context;
  const PixelKernels& kernels;
  const ImageView& image;
  const Axis& across;
  const Axis& down;
  Filter filter;
  Span columns;
  Span rows;
  const RowSink& sink;

  [[nodiscard]] std::size_t channels() const noexcept { return image.channels == 1 ? 1 : 3; }

  void pick_nearest() const {
    const auto xs = nearest_pixels(across, columns.begin, columns.end);
    const auto ys = nearest_pixels(down, rows.begin, rows.end);
    std::vector<std::uint8_t> line(xs.size() * 3);
    for (std::size_t y = 0; y < ys.size(); ++y) {
      const std::uint8_t* from = image.data + ys[y] * image.stride;
      for (std::size_t x = 0; x < xs.size(); ++x) {
        copy_pixels(from + xs[x] * image.channels, image.channels, 1, &line[x * channels()]);
      }
      sink(y, line.data());
    }
  }

  void resize_across_first() const {
    const bool wider = !across.unchanged(), higher = !down.unchanged();
    Taps horizontal, vertical;
    if (wider) horizontal = packed_taps(kernels, across, filter, columns);
    if (higher) vertical = packed_taps(kernels, down, filter, rows);
    const std::size_t left = static_cast<std::size_t>(across.from) + columns.begin;
    const std::size_t top = static_cast<std::size_t>(down.from) + rows.begin;
    NarrowedRows narrowed(image, kernels, wider ? &horizontal : nullptr, left, columns.count(),
                          higher ? vertical.stride * kGroup : 1);
    narrowed.start(higher ? vertical.starts[0] : top);
    const std::size_t width = columns.count() * channels();
    std::vector<std::uint8_t> line(padded(width));
    std::vector<const std::uint8_t*> window;
    for (std::size_t y = 0; y < rows.count(); ++y) {
      context.check();
      if (!higher) {
        narrowed.reach(top + y + 1);
        sink(y, narrowed.row(top + y));
        continue;
      }
      narrowed.reach(std::min(vertical.starts[y] + vertical.counts[y] * kGroup, image.height));
      make_row(
          kernels, vertical, y, image.height, width, [&](std::size_t i) { return narrowed.row(i); },
          window, line.data());
      sink(y, line.data());
    }
  }

  void resize_down_first() const {
    Taps horizontal = packed_taps(kernels, across, filter, columns);
    const Taps vertical = packed_taps(kernels, down, filter, rows);
    // The columns that are looked at, and the taps counted from there.
    const std::size_t first = horizontal.starts.front();
    const std::size_t end =
        std::min(horizontal.starts.back() + horizontal.counts.back() * kGroup, image.width);
    for (std::uint32_t& start : horizontal.starts) start -= static_cast<std::uint32_t>(first);
    SourceRows source(image);
    const std::size_t width = (end - first) * image.channels;
    const std::size_t stride = padded(width) + kReadBeyond;
    const std::size_t made_stride = columns.count() * channels() + 3;
    std::vector<std::uint8_t> lines(kSideBySide * stride), made(kSideBySide * made_stride);
    std::vector<const std::uint8_t*> window;
    for (std::size_t y = 0; y < rows.count(); y += kSideBySide) {
      context.check();
      const std::size_t count = std::min(kSideBySide, rows.count() - y);
      const std::uint8_t* from[kSideBySide];
      std::uint8_t* to[kSideBySide];
      for (std::size_t r = 0; r < kSideBySide; ++r) {
        from[r] = lines.data() + r * stride;
        to[r] = made.data() + r * made_stride;
        if (r >= count) continue;
        make_row(
            kernels, vertical, y + r, image.height, width,
            [&](std::size_t i) { return source.row(i) + first * image.channels; }, window,
            lines.data() + r * stride);
      }
      kernels.across(from, image.channels, horizontal, to);
      for (std::size_t r = 0; r < count; ++r) sink(y + r, to[r]);
    }
  }
};

}  // namespace

void resize_rows(const Context& context, const PixelKernels& kernels, const ImageView& image,
                 const Axis& across, const Axis& down, Filter filter, Span columns, Span rows,
                 const RowSink& sink) {
  const Passes passes{context, kernels, image, across, down, filter, columns, rows, sink};
  if (across.unchanged() && down.unchanged()) {
    passes.resize_across_first();
  } else if (filter == Filter::kNearest) {
    passes.pick_nearest();
  } else if (!across.unchanged() && !down.unchanged() && down_first(across, down)) {
    passes.resize_down_first();
  } else {
    passes.resize_across_first();
  }
}

}  // namespace zoo::detail
