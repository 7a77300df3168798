// The passes of a resize by AVX512-VNNI: four products of 8 bits at once, weights split into three
// signed digits to the base 256, whose sums are put together at the end.
#include <immintrin.h>

#include "image/kernels.hpp"

namespace zoo::detail {
namespace {

constexpr std::size_t kDigits = 3;

// Four lowest digits, four middle ones, four highest, four bytes unused.
void pack(WeightGroup* groups, std::size_t count) {
  for (std::size_t g = 0; g < count; ++g) {
    std::int8_t digits[4 * kGroup] = {};
    for (std::size_t t = 0; t < kGroup; ++t) {
      std::int32_t rest = groups[g].weights[t];
      for (std::size_t d = 0; d < kDigits; ++d) {
        const auto digit = static_cast<std::int8_t>(rest & 0xFF);
        digits[kGroup * d + t] = digit;
        rest = (rest - digit) / 256;
      }
    }
    __builtin_memcpy(&groups[g], digits, sizeof digits);
  }
}

int digits_of(const WeightGroup* group, std::size_t digit) { return group->weights[digit]; }

struct Sums {
  __m512i of[kDigits] = {_mm512_set1_epi32(1 << (kWeightBits - 1)), _mm512_setzero_si512(),
                         _mm512_setzero_si512()};

  void add(__m512i pixels, const __m512i* weights) {
    for (std::size_t d = 0; d < kDigits; ++d) {
      of[d] = _mm512_dpbusd_epi32(of[d], pixels, weights[d]);
    }
  }
  // Within -512..511, so saturating packs clamp them rightly.
  [[nodiscard]] __m512i levels() const {
    const __m512i upper = _mm512_add_epi32(of[1], _mm512_slli_epi32(of[2], 8));
    return _mm512_srai_epi32(_mm512_add_epi32(of[0], _mm512_slli_epi32(upper, 8)), kWeightBits);
  }
};

__m128i load16(const std::uint8_t* from) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
}

void store4(std::uint8_t* to, int bytes) { __builtin_memcpy(to, &bytes, 4); }

// A quarter of a register is a row: four taps of red, of green, of blue.
template <int kBytes>
void colour_across(const std::uint8_t* const* rows, const Taps& taps, std::uint8_t* const* out) {
  constexpr int k = kBytes;
  const __m512i mask =
      _mm512_broadcast_i32x4(_mm_setr_epi8(0, k, 2 * k, 3 * k, 1, k + 1, 2 * k + 1, 3 * k + 1, 2,
                                           k + 2, 2 * k + 2, 3 * k + 2, -1, -1, -1, -1));
  for (std::size_t i = 0; i < taps.starts.size(); ++i) {
    const std::size_t start = kBytes * taps.starts[i];
    const WeightGroup* groups = taps.of(i);
    Sums sums;
    for (std::size_t g = 0; g < taps.counts[i]; ++g) {
      const std::size_t at = start + g * kGroup * kBytes;
      __m512i pixels = _mm512_castsi128_si512(load16(rows[0] + at));
      pixels = _mm512_mask_broadcast_i32x4(pixels, 0x00F0, load16(rows[1] + at));
      pixels = _mm512_mask_broadcast_i32x4(pixels, 0x0F00, load16(rows[2] + at));
      pixels = _mm512_mask_broadcast_i32x4(pixels, 0xF000, load16(rows[3] + at));
      const __m512i weights[kDigits] = {_mm512_set1_epi32(digits_of(groups + g, 0)),
                                        _mm512_set1_epi32(digits_of(groups + g, 1)),
                                        _mm512_set1_epi32(digits_of(groups + g, 2))};
      sums.add(_mm512_shuffle_epi8(pixels, mask), weights);
    }
    const __m128i bytes =
        _mm512_cvtusepi32_epi8(_mm512_max_epi32(sums.levels(), _mm512_setzero_si512()));
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

// Four taps of each of the four rows in a quarter of a register; the rest of it is not used.
void grey_across(const std::uint8_t* const* rows, const Taps& taps, std::uint8_t* const* out) {
  for (std::size_t i = 0; i < taps.starts.size(); ++i) {
    const WeightGroup* groups = taps.of(i);
    Sums sums;
    for (std::size_t g = 0; g < taps.counts[i]; ++g) {
      const std::size_t at = taps.starts[i] + g * kGroup;
      const __m128i pixels = _mm_setr_epi32(load4(rows[0] + at), load4(rows[1] + at),
                                            load4(rows[2] + at), load4(rows[3] + at));
      const __m512i weights[kDigits] = {_mm512_set1_epi32(digits_of(groups + g, 0)),
                                        _mm512_set1_epi32(digits_of(groups + g, 1)),
                                        _mm512_set1_epi32(digits_of(groups + g, 2))};
      sums.add(_mm512_castsi128_si512(pixels), weights);
    }
    const __m128i levels = _mm512_castsi512_si128(sums.levels());
    const auto bytes = static_cast<std::uint32_t>(
        _mm_cvtsi128_si32(_mm_cvtusepi32_epi8(_mm_max_epi32(levels, _mm_setzero_si128()))));
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

__m512i load64(const std::uint8_t* from) { return _mm512_loadu_si512(from); }

void down(const std::uint8_t* const* rows, const WeightGroup* groups, std::size_t count,
          std::size_t width, std::uint8_t* out) {
  constexpr std::size_t kStep = 64;
  for (std::size_t j = 0; j < width; j += kStep) {
    Sums sums[4];
    for (std::size_t g = 0; g < count; ++g) {
      const __m512i weights[kDigits] = {_mm512_set1_epi32(digits_of(groups + g, 0)),
                                        _mm512_set1_epi32(digits_of(groups + g, 1)),
                                        _mm512_set1_epi32(digits_of(groups + g, 2))};
      const std::uint8_t* const* four = rows + g * kGroup;
      const __m512i a = load64(four[0] + j), b = load64(four[1] + j);
      const __m512i c = load64(four[2] + j), d = load64(four[3] + j);
      const __m512i ab = _mm512_unpacklo_epi8(a, b), AB = _mm512_unpackhi_epi8(a, b);
      const __m512i cd = _mm512_unpacklo_epi8(c, d), CD = _mm512_unpackhi_epi8(c, d);
      sums[0].add(_mm512_unpacklo_epi16(ab, cd), weights);
      sums[1].add(_mm512_unpackhi_epi16(ab, cd), weights);
      sums[2].add(_mm512_unpacklo_epi16(AB, CD), weights);
      sums[3].add(_mm512_unpackhi_epi16(AB, CD), weights);
    }
    // Packing undoes what unpacking did within each quarter.
    const __m512i bytes =
        _mm512_packus_epi16(_mm512_packs_epi32(sums[0].levels(), sums[1].levels()),
                            _mm512_packs_epi32(sums[2].levels(), sums[3].levels()));
    _mm512_storeu_si512(out + j, bytes);
  }
}

}  // namespace

const PixelKernels kVnniPixels = {"vnni", &pack, &across, &down};

}  // namespace zoo::detail
