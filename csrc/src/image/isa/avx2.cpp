// The passes of a resize by AVX2: pairs of 16-bit products, weights split into 12 low bits and the
// signed rest, whose two sums are put together at the end.
#include <immintrin.h>

#include "image/kernels.hpp"

namespace zoo::detail {
namespace {

constexpr int kLowBits = 12;

// Four low parts, then four high ones, 16 bits each.
void pack(WeightGroup* groups, std::size_t count) {
  for (std::size_t g = 0; g < count; ++g) {
    std::int16_t parts[2 * kGroup];
    for (std::size_t t = 0; t < kGroup; ++t) {
      parts[t] = static_cast<std::int16_t>(groups[g].weights[t] & ((1 << kLowBits) - 1));
      parts[kGroup + t] = static_cast<std::int16_t>(groups[g].weights[t] >> kLowBits);
    }
    __builtin_memcpy(&groups[g], parts, sizeof parts);
  }
}

__m256i load_twice(const void* from) {
  return _mm256_broadcastsi128_si256(_mm_loadu_si128(static_cast<const __m128i*>(from)));
}

struct Sums {
  __m256i low = _mm256_setzero_si256();
  __m256i high = _mm256_setzero_si256();

  void add(__m256i pixels, __m256i low_weights, __m256i high_weights) {
    low = _mm256_add_epi32(low, _mm256_madd_epi16(pixels, low_weights));
    high = _mm256_add_epi32(high, _mm256_madd_epi16(pixels, high_weights));
  }
  [[nodiscard]] __m256i together() const {
    return _mm256_add_epi32(low, _mm256_slli_epi32(high, kLowBits));
  }
};

// Sums to levels, still in 32 bits: within -512..511, so saturating packs clamp them rightly.
__m256i levels(__m256i sums) {
  return _mm256_srai_epi32(_mm256_add_epi32(sums, _mm256_set1_epi32(1 << (kWeightBits - 1))),
                           kWeightBits);
}

// In the lower half taps 0 and 1 of up to four channels (or rows) side by side, in the upper half
// taps 2 and 3; a tap's channels are `apart` bytes apart, its pixels `step`.
__m256i pair_mask(int apart, int step, int channels) {
  alignas(32) std::int8_t mask[32];
  for (int i = 0; i < 32; ++i) {
    const int channel = i % 16 / 4, tap = i / 16 * 2 + i % 4 / 2;
    const bool wanted = i % 2 == 0 && channel < channels;
    mask[i] = static_cast<std::int8_t>(wanted ? channel * apart + tap * step : -1);
  }
  return _mm256_load_si256(reinterpret_cast<const __m256i*>(mask));
}

struct WeightMasks {
  // Pairs (0, 1) four times, then pairs (2, 3) four times.
  __m256i low = _mm256_setr_epi8(0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 4, 5, 6, 7, 4, 5,
                                 6, 7, 4, 5, 6, 7, 4, 5, 6, 7);
  __m256i high = _mm256_add_epi8(low, _mm256_set1_epi8(8));
};

__m128i folded(const Sums& sums) {
  const __m256i all = sums.together();
  const __m128i both = _mm_add_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1));
  return _mm_srai_epi32(_mm_add_epi32(both, _mm_set1_epi32(1 << (kWeightBits - 1))), kWeightBits);
}

void store4(std::uint8_t* to, int bytes) { __builtin_memcpy(to, &bytes, 4); }

template <std::size_t kBytes>
void colour_across(const std::uint8_t* const* rows, const Taps& taps, std::uint8_t* const* out) {
  const __m256i mask = pair_mask(1, kBytes, 3);
  const WeightMasks pick;
  for (std::size_t i = 0; i < taps.starts.size(); ++i) {
    const std::size_t start = kBytes * taps.starts[i];
    const WeightGroup* groups = taps.of(i);
    Sums sums[kSideBySide];
    for (std::size_t g = 0; g < taps.counts[i]; ++g) {
      const __m256i packed = load_twice(groups + g);
      const __m256i low = _mm256_shuffle_epi8(packed, pick.low);
      const __m256i high = _mm256_shuffle_epi8(packed, pick.high);
      const std::size_t at = start + g * kGroup * kBytes;
      for (std::size_t r = 0; r < kSideBySide; ++r) {
        sums[r].add(_mm256_shuffle_epi8(load_twice(rows[r] + at), mask), low, high);
      }
    }
    const __m128i bytes = _mm_packus_epi16(_mm_packs_epi32(folded(sums[0]), folded(sums[1])),
                                           _mm_packs_epi32(folded(sums[2]), folded(sums[3])));
    store4(out[0] + 3 * i, _mm_cvtsi128_si32(bytes));
    store4(out[1] + 3 * i, _mm_extract_epi32(bytes, 1));
    store4(out[2] + 3 * i, _mm_extract_epi32(bytes, 2));
    store4(out[3] + 3 * i, _mm_extract_epi32(bytes, 3));
  }
}

int load4(const std::uint8_t* from) {
  int bytes = 0;
  __builtin_memcpy(&bytes, from, 4);
  return bytes;
}

// The four rows stand where colour has its channels.
void grey_across(const std::uint8_t* const* rows, const Taps& taps, std::uint8_t* const* out) {
  const __m256i mask = pair_mask(4, 1, 4);
  const WeightMasks pick;
  for (std::size_t i = 0; i < taps.starts.size(); ++i) {
    Sums sums;
    for (std::size_t g = 0; g < taps.counts[i]; ++g) {
      const std::size_t at = taps.starts[i] + g * kGroup;
      const __m128i pixels = _mm_setr_epi32(load4(rows[0] + at), load4(rows[1] + at),
                                            load4(rows[2] + at), load4(rows[3] + at));
      const __m256i packed = load_twice(taps.of(i) + g);
      sums.add(_mm256_shuffle_epi8(_mm256_broadcastsi128_si256(pixels), mask),
               _mm256_shuffle_epi8(packed, pick.low), _mm256_shuffle_epi8(packed, pick.high));
    }
    const __m128i words = _mm_packs_epi32(folded(sums), _mm_setzero_si128());
    const auto bytes =
        static_cast<std::uint32_t>(_mm_cvtsi128_si32(_mm_packus_epi16(words, words)));
    for (std::size_t r = 0; r < kSideBySide; ++r) {
      out[r][i] = static_cast<std::uint8_t>(bytes >> (8 * r));
    }
  }
}

void across(const std::uint8_t* const* rows, std::size_t channels, const Taps& taps,
            std::uint8_t* const* out) {
  if (channels == 1) {
    grey_across(rows, taps, out);
  } else if (channels == 3) {
    colour_across<3>(rows, taps, out);
  } else {
    colour_across<4>(rows, taps, out);
  }
}

void down(const std::uint8_t* const* rows, const WeightGroup* groups, std::size_t count,
          std::size_t width, std::uint8_t* out) {
  constexpr std::size_t kStep = 32;
  for (std::size_t j = 0; j < width; j += kStep) {
    Sums sums[4];
    for (std::size_t t = 0; t < kGroup * count; t += 2) {
      const auto* parts = reinterpret_cast<const std::uint8_t*>(groups + t / kGroup);
      const __m256i low = _mm256_set1_epi32(load4(parts + 2 * (t % kGroup)));
      const __m256i high = _mm256_set1_epi32(load4(parts + 8 + 2 * (t % kGroup)));
      for (std::size_t half = 0; half < 2; ++half) {
        const std::size_t at = j + 16 * half;
        const __m128i a = _mm_loadu_si128(reinterpret_cast<const __m128i*>(rows[t] + at));
        const __m128i b = _mm_loadu_si128(reinterpret_cast<const __m128i*>(rows[t + 1] + at));
        sums[2 * half].add(_mm256_cvtepu8_epi16(_mm_unpacklo_epi8(a, b)), low, high);
        sums[2 * half + 1].add(_mm256_cvtepu8_epi16(_mm_unpackhi_epi8(a, b)), low, high);
      }
    }
    __m256i words[2];
    for (std::size_t half = 0; half < 2; ++half) {
      const __m256i mixed = _mm256_packs_epi32(levels(sums[2 * half].together()),
                                               levels(sums[2 * half + 1].together()));
      words[half] = _mm256_permute4x64_epi64(mixed, 0xD8);
    }
    const __m256i bytes = _mm256_permute4x64_epi64(_mm256_packus_epi16(words[0], words[1]), 0xD8);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + j), bytes);
  }
}

}  // namespace

const PixelKernels kAvx2Pixels = {"avx2", &pack, &across, &down};

}  // namespace zoo::detail
