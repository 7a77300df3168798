#include "image/taps.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace zoo::detail {
namespace {

double sinc(double x) {
  if (x == 0.0) return 1.0;
  const double angle = x * std::numbers::pi;
  return std::sin(angle) / angle;
}

// Each takes the distance from the output's centre in units of the wider of the two pixels. The
// order of operations, and where a constant is a float, is that of Pillow's definitions, as a
// weight's last bit may hang on it.
double box(double x) { return x > -0.5 && x <= 0.5 ? 1.0 : 0.0; }

double bilinear(double x) { return std::max(0.0, 1.0 - std::abs(x)); }

double hamming(double x) {
  x = std::abs(x);
  if (x == 0.0) return 1.0;
  if (x >= 1.0) return 0.0;
  const double angle = x * std::numbers::pi;
  return std::sin(angle) / angle * (0.54F + 0.46F * std::cos(angle));
}

double bicubic(double x) {
  constexpr double kA = -0.5;
  x = std::abs(x);
  if (x < 1.0) return ((kA + 2.0) * x - (kA + 3.0)) * x * x + 1.0;
  if (x < 2.0) return (((x - 5.0) * x + 8.0) * x - 4.0) * kA;
  return 0.0;
}

double lanczos(double x) { return x >= -3.0 && x < 3.0 ? sinc(x) * sinc(x / 3.0) : 0.0; }

struct Kernel {
  double (*weight)(double);
  double support;
};

Kernel kernel_of(Filter filter) {
  switch (filter) {
    case Filter::kBox:
      return {&box, 0.5};
    case Filter::kHamming:
      return {&hamming, 1.0};
    case Filter::kBicubic:
      return {&bicubic, 2.0};
    case Filter::kLanczos:
      return {&lanczos, 3.0};
    case Filter::kNearest:
    case Filter::kBilinear:
      break;
  }
  return {&bilinear, 1.0};
}

std::int32_t fixed_point(double weight) {
  constexpr double kOne = 1 << kWeightBits;
  return static_cast<std::int32_t>(weight < 0 ? weight * kOne - 0.5 : weight * kOne + 0.5);
}

}  // namespace

Taps make_taps(const Axis& axis, Filter filter, std::size_t begin, std::size_t end) {
  const Kernel kernel = kernel_of(filter);
  const double scale = static_cast<double>(axis.to - axis.from) / static_cast<double>(axis.resized);
  const double widened = std::max(scale, 1.0);  // a smaller image is a mean over wider pixels
  const double support = kernel.support * widened, inverse = 1.0 / widened;
  const double last = static_cast<double>(axis.size);
  const auto span = [&](std::size_t i) {
    const double centre = axis.from + (static_cast<double>(i) + 0.5) * scale;
    const double low = std::max(0.0, std::trunc(centre - support + 0.5));
    const double high = std::min(last, std::trunc(centre + support + 0.5));
    return std::array<double, 3>{centre, low, high};
  };
  std::size_t most = 0;
  for (std::size_t i = begin; i < end; ++i) {
    const auto [centre, low, high] = span(i);
    most = std::max(most, static_cast<std::size_t>(high - low));
  }
  Taps out;
  out.stride = (most + kGroup - 1) / kGroup;
  out.groups.resize(out.stride * (end - begin));
  out.starts.resize(end - begin);
  out.counts.resize(end - begin);
  std::vector<double> weights(most);
  for (std::size_t i = begin; i < end; ++i) {
    const auto [centre, low, high] = span(i);
    const auto first = static_cast<std::size_t>(low),
               count = static_cast<std::size_t>(high) - first;
    double sum = 0.0;
    for (std::size_t x = 0; x < count; ++x) {
      weights[x] = kernel.weight((static_cast<double>(x + first) - centre + 0.5) * inverse);
      sum += weights[x];
    }
    WeightGroup* groups = out.groups.data() + (i - begin) * out.stride;
    for (std::size_t x = 0; x < count; ++x) {
      const double share = sum != 0.0 ? weights[x] / sum : weights[x];
      groups[x / kGroup].weights[x % kGroup] = fixed_point(share);
    }
    out.starts[i - begin] = static_cast<std::uint32_t>(first);
    out.counts[i - begin] = static_cast<std::uint32_t>((count + kGroup - 1) / kGroup);
  }
  return out;
}

std::vector<std::uint32_t> nearest_pixels(const Axis& axis, std::size_t begin, std::size_t end) {
  const double step = static_cast<double>(axis.to - axis.from) / static_cast<double>(axis.resized);
  std::vector<std::uint32_t> out(end - begin);
  double at = axis.from + step * 0.5;  // summed up as Pillow does, roundings included
  for (std::size_t i = 0; i < end; ++i, at += step) {
    if (i < begin) continue;
    const auto pixel = static_cast<std::size_t>(std::max(at, 0.0));
    out[i - begin] = static_cast<std::uint32_t>(std::min(pixel, axis.size - 1));
  }
  return out;
}

}  // namespace zoo::detail
