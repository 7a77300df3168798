// The passes of a resize for any processor.
#include <algorithm>

#include "image/kernels.hpp"

namespace zoo::detail {
namespace {

constexpr std::uint32_t kHalf = 1U << (kWeightBits - 1);

std::uint8_t level(std::uint32_t sum) {
  return static_cast<std::uint8_t>(
      std::clamp(static_cast<std::int32_t>(sum) >> kWeightBits, 0, 255));
}

void pack(WeightGroup*, std::size_t) {}

template <std::size_t kBytes, std::size_t kChannels>
void row_across(const std::uint8_t* row, const Taps& taps, std::uint8_t* out) {
  for (std::size_t i = 0; i < taps.starts.size(); ++i) {
    const std::uint8_t* from = row + kBytes * taps.starts[i];
    std::uint32_t sums[kChannels];
    std::fill_n(sums, kChannels, kHalf);
    const WeightGroup* groups = taps.of(i);
    for (std::size_t g = 0; g < taps.counts[i]; ++g) {
      for (std::size_t t = 0; t < kGroup; ++t, from += kBytes) {
        const auto weight = static_cast<std::uint32_t>(groups[g].weights[t]);
        for (std::size_t c = 0; c < kChannels; ++c) sums[c] += weight * from[c];
      }
    }
    for (std::size_t c = 0; c < kChannels; ++c) *out++ = level(sums[c]);
  }
}

void across(const std::uint8_t* const* rows, std::size_t channels, const Taps& taps,
            std::uint8_t* const* out) {
  for (std::size_t r = 0; r < kSideBySide; ++r) {
    if (channels == 1) {
      row_across<1, 1>(rows[r], taps, out[r]);
    } else if (channels == 3) {
      row_across<3, 3>(rows[r], taps, out[r]);
    } else {
      row_across<4, 3>(rows[r], taps, out[r]);
    }
  }
}

void down(const std::uint8_t* const* rows, const WeightGroup* groups, std::size_t count,
          std::size_t width, std::uint8_t* out) {
  for (std::size_t j = 0; j < width; j += kRowAlign) {
    std::uint32_t sums[kRowAlign];
    std::fill_n(sums, kRowAlign, kHalf);
    for (std::size_t t = 0; t < kGroup * count; ++t) {
      const auto weight = static_cast<std::uint32_t>(groups[t / kGroup].weights[t % kGroup]);
      const std::uint8_t* row = rows[t] + j;
      for (std::size_t i = 0; i < kRowAlign; ++i) sums[i] += weight * row[i];
    }
    for (std::size_t i = 0; i < kRowAlign; ++i) out[j + i] = level(sums[i]);
  }
}

}  // namespace

const PixelKernels kPortablePixels = {"portable", &pack, &across, &down};

}  // namespace zoo::detail
