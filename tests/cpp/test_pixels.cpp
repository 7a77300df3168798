// The resize against sums in plain loops, by every instruction set; identity with Pillow is tested
// from Python (tests/engine/test_pixels.py).
#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "check.hpp"
#include "image/passes.hpp"
#include "zoo/pixels.hpp"

namespace {

using zoo::Context;
using zoo::ErrorKind;
using zoo::Filter;
using zoo::ImageView;
using zoo::PixelPlan;
using zoo::detail::Axis;
using zoo::detail::kGroup;
using zoo::detail::make_taps;
using zoo::detail::PixelKernels;
using zoo::detail::Span;
using zoo::detail::Taps;
using Bytes = std::vector<std::uint8_t>;

constexpr Filter kFilters[] = {Filter::kLanczos, Filter::kBilinear, Filter::kBicubic, Filter::kBox,
                               Filter::kHamming};

std::vector<const PixelKernels*> tables() {
  std::vector<const PixelKernels*> found;
  for (const char* name : {"portable", "avx2", "vnni"}) {
    if (const PixelKernels* table = zoo::detail::pixel_kernels_named(name)) found.push_back(table);
  }
  return found;
}

// Exactly as large as the image, so that a sanitizer sees every read past its end.
Bytes noise(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  Bytes out(size);
  for (std::uint8_t& value : out) value = static_cast<std::uint8_t>(random());
  return out;
}

Axis whole(std::size_t size, std::size_t resized) {
  return {size, 0.0F, static_cast<float>(size), resized};
}

// One axis of (n, size, inner) resized to (n, resized, inner), by sums of 64 bits.
Bytes resized_axis(const Bytes& from, std::size_t n, const Axis& axis, std::size_t inner,
                   Filter filter) {
  const Taps taps = make_taps(axis, filter, 0, axis.resized);
  Bytes out(n * axis.resized * inner);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t x = 0; x < axis.resized; ++x) {
      for (std::size_t j = 0; j < inner; ++j) {
        std::int64_t sum = 1 << (zoo::detail::kWeightBits - 1);
        for (std::size_t t = 0; t < taps.stride * kGroup; ++t) {
          const std::int64_t weight = taps.of(x)[t / kGroup].weights[t % kGroup];
          const std::size_t at = taps.starts[x] + t;
          if (weight != 0) sum += weight * from[(i * axis.size + at) * inner + j];
        }
        out[(i * axis.resized + x) * inner + j] = static_cast<std::uint8_t>(
            std::clamp<std::int64_t>(sum >> zoo::detail::kWeightBits, 0, 255));
      }
    }
  }
  return out;
}

struct Case {
  std::size_t width, height, to_width, to_height;
};

// Down, up, one of each, tall ones (vertically first), 1-pixel sides, sizes about a vector's.
constexpr Case kCases[] = {{37, 29, 11, 9},    {11, 9, 37, 29},  {40, 7, 13, 20},  {9, 90, 8, 11},
                           {30, 100, 64, 5},   {1, 1, 5, 3},     {1, 70, 4, 2},    {70, 1, 2, 4},
                           {33, 17, 33, 5},    {17, 33, 5, 33},  {64, 64, 21, 22}, {65, 3, 63, 2},
                           {2, 3, 1, 1},       {300, 2, 1, 1},   {2, 300, 1, 1},   {5, 5, 5, 5},
                           {21, 200, 128, 32}, {128, 64, 43, 21}};

void every_instruction_set_sums_exactly() {
  unsigned seed = 0;
  for (const Case& c : kCases) {
    for (const Filter filter : kFilters) {
      for (const std::size_t channels : {1UL, 3UL, 4UL}) {
        const Bytes pixels = noise(c.width * c.height * channels, ++seed);
        const std::size_t kept = std::min<std::size_t>(channels, 3);
        Bytes plain;
        for (std::size_t i = 0; i < pixels.size(); ++i) {
          if (i % channels < kept) plain.push_back(pixels[i]);
        }
        const Axis across = whole(c.width, c.to_width), down = whole(c.height, c.to_height);
        const bool tall =
            c.height > c.to_height &&
            c.height - c.to_height > 2 * (c.width > c.to_width ? c.width - c.to_width : 0);
        Bytes want;
        if (tall) {
          want = resized_axis(plain, 1, down, c.width * kept, filter);
          want = resized_axis(want, c.to_height, across, kept, filter);
        } else {
          want = resized_axis(plain, c.height, across, kept, filter);
          want = resized_axis(want, 1, down, c.to_width * kept, filter);
        }
        const ImageView image{pixels.data(), c.width, c.height, channels, c.width * channels};
        for (const PixelKernels* table : tables()) {
          check_case = std::string(table->name) + " " + std::to_string(seed);
          const Span columns{c.to_width / 3, c.to_width}, rows{0, c.to_height - c.to_height / 4};
          std::size_t seen = 0;
          zoo::detail::resize_rows(Context{}, *table, image, across, down, filter, columns, rows,
                                   [&](std::size_t y, const std::uint8_t* row) {
                                     CHECK(y == seen++);
                                     const std::uint8_t* line =
                                         want.data() + (y * c.to_width + columns.begin) * kept;
                                     CHECK(std::equal(line, line + columns.count() * kept, row));
                                   });
          CHECK(seen == rows.count());
        }
      }
    }
  }
  check_case.clear();
}

PixelPlan plan_of(std::size_t width, std::size_t height) {
  PixelPlan plan;
  plan.width = plan.columns = width;
  plan.height = plan.rows = height;
  return plan;
}

void colour_layout_borders_and_tables_are_as_stated() {
  const Bytes pixels = {10, 20, 30, 40, 50, 60};  // two pixels side by side
  const ImageView image{pixels.data(), 2, 1, 3, 6};
  std::vector<float> levels(768);
  for (std::size_t i = 0; i < levels.size(); ++i) levels[i] = static_cast<float>(i);
  PixelPlan plan = plan_of(2, 1);
  std::vector<float> out(6);
  zoo::prepare_pixels(Context{}, image, plan, levels.data(), out.data());
  CHECK((out == std::vector<float>{10, 40, 256 + 20, 256 + 50, 512 + 30, 512 + 60}));
  plan.mirror = true;
  plan.planes = false;
  zoo::prepare_pixels(Context{}, image, plan, levels.data(), out.data());
  CHECK((out == std::vector<float>{30, 256 + 20, 512 + 10, 60, 256 + 50, 512 + 40}));
  plan = plan_of(2, 1);
  plan.columns = 3;
  plan.left = -2;  // two columns beside the image, then its first
  out.resize(9);
  zoo::prepare_pixels(Context{}, image, plan, levels.data(), out.data());
  CHECK((out == std::vector<float>{0, 0, 10, 256, 256, 256 + 20, 512, 512, 512 + 30}));
  plan.left = 2;  // nothing of it
  zoo::prepare_pixels(Context{}, image, plan, levels.data(), out.data());
  CHECK((out == std::vector<float>{0, 0, 0, 256, 256, 256, 512, 512, 512}));
}

void impossible_plans_are_refused() {
  const Bytes pixels(12);
  const ImageView image{pixels.data(), 2, 2, 3, 6};
  const auto refused = [](const ImageView& view, const PixelPlan& plan) {
    CHECK_THROWS(zoo::check_plan(view, plan), ErrorKind::kInvalid);
  };
  zoo::check_plan(image, plan_of(4, 4));
  refused(image, plan_of(0, 4));
  refused(image, plan_of(4, 0));
  refused(image, plan_of((1U << 24U) + 1, 4));
  refused({pixels.data(), 0, 2, 3, 6}, plan_of(4, 4));
  refused({pixels.data(), 2, 0, 3, 6}, plan_of(4, 4));
  refused({pixels.data(), 2, 2, 2, 6}, plan_of(4, 4));
  refused({pixels.data(), 2, 2, 3, 5}, plan_of(4, 4));
  PixelPlan far = plan_of(4, 4);
  far.left = std::ptrdiff_t{1} << 40;
  refused(image, far);
  for (const std::array<double, 4>& box : {std::array<double, 4>{0, 0, 3, 2},
                                           {-1, 0, 2, 2},
                                           {1, 0, 1, 2},
                                           {0, 2, 2, 1},
                                           {0, 0, 0, 0}}) {
    PixelPlan boxed = plan_of(4, 4);
    boxed.boxed = true;
    boxed.box = box;
    refused(image, boxed);
  }
}

void a_stop_is_heard() {
  const Bytes pixels(3000);
  const ImageView image{pixels.data(), 10, 100, 3, 30};
  const PixelPlan plan = plan_of(5, 50);
  const Bytes levels(768);
  Bytes out(3 * 5 * 50);
  Context context;
  context.poll = [] { throw zoo::Error(ErrorKind::kInterrupted, "stop"); };
  CHECK_THROWS(zoo::prepare_pixels(context, image, plan, levels.data(), out.data()),
               ErrorKind::kInterrupted);
}

}  // namespace

int main() {
  every_instruction_set_sums_exactly();
  colour_layout_borders_and_tables_are_as_stated();
  impossible_plans_are_refused();
  a_stop_is_heard();
}
