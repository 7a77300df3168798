// Products of bf16 pairs by tiles of 16 x 16, over a policy that holds the tiles: the processor's
// own in pairs_amx.cpp, arrays in the test, so that all but the instructions is tested everywhere.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "math/isa/fetch.hpp"
#include "math/pairs.hpp"

namespace zoo::detail {
namespace {

constexpr std::size_t kTileSide = 16;  // rows, and pairs a row or columns
constexpr std::size_t kTilePairs = kTileSide * kTileSide;

// Tiles: static zero<tile>(), load<tile>(from, stride), store<tile>(to, stride) with strides in
// bytes, multiply<sum, a, b>(), and an object that holds the configuration while it lives.
template <typename Tiles>
class TileProduct {
 public:
  explicit TileProduct(const PairProduct& product) : product_(product) {}

  void run() {
    [[maybe_unused]] const Tiles held;
    for (std::size_t i = 0; i < product_.rows; i += 2 * kTileSide) {
      const bool two = product_.rows - i > kTileSide;
      take(i, two);
      fetch(product_.ahead, i / (2 * kTileSide),
            (product_.rows + 2 * kTileSide - 1) / (2 * kTileSide));
      std::size_t q = 0;
      for (; q + 2 <= product_.panels; q += 2) two ? block<2, 2>(i, q) : block<1, 2>(i, q);
      if (q < product_.panels) two ? block<2, 1>(i, q) : block<1, 1>(i, q);
    }
  }

 private:
  // Sums are tiles 0 to 3, rows tiles 4 and 5, columns tiles 6 and 7.
  template <int kHeight, int kWidth>
  void block(std::size_t i, std::size_t q) {
    Tiles::template zero<0>();
    if constexpr (kWidth > 1) Tiles::template zero<1>();
    if constexpr (kHeight > 1) Tiles::template zero<2>();
    if constexpr (kHeight > 1 && kWidth > 1) Tiles::template zero<3>();
    for (std::size_t t = product_.terms; t-- > 0;) {  // the small ones first
      for (std::size_t p = 0; p < product_.pairs; p += kTileSide) {
        load_rows<4>(0, t, p);
        if constexpr (kHeight > 1) load_rows<5>(1, t, p);
        load_columns<6>(q, t, p);
        if constexpr (kWidth > 1) load_columns<7>(q + 1, t, p);
        Tiles::template multiply<0, 4, 6>();
        if constexpr (kWidth > 1) Tiles::template multiply<1, 4, 7>();
        if constexpr (kHeight > 1) Tiles::template multiply<2, 5, 6>();
        if constexpr (kHeight > 1 && kWidth > 1) Tiles::template multiply<3, 5, 7>();
      }
    }
    give<0>(i, q);
    if constexpr (kWidth > 1) give<1>(i, q + 1);
    if constexpr (kHeight > 1) give<2>(i + kTileSide, q);
    if constexpr (kHeight > 1 && kWidth > 1) give<3>(i + kTileSide, q + 1);
  }

  template <int kTile>
  void load_columns(std::size_t q, std::size_t t, std::size_t p) {
    Tiles::template load<kTile>(
        product_.b + t * product_.b_term + (q * product_.pairs + p) * kPanel,
        kPanel * sizeof(std::uint32_t));
  }

  template <int kTile>
  void load_rows(std::size_t half, std::size_t t, std::size_t p) {
    const Rows& rows = rows_[half];
    if (rows.direct != nullptr) {
      Tiles::template load<kTile>(rows.direct + t * product_.a_term + p,
                                  product_.a_row * sizeof(std::uint32_t));
    } else {
      const std::size_t tile = (product_.a_term == 0 ? 0 : t) * (product_.pairs / kTileSide);
      Tiles::template load<kTile>(rows.copy.data() + (tile + p / kTileSide) * kTilePairs,
                                  kTileSide * sizeof(std::uint32_t));
    }
  }

  // Rows that lie as a tile wants them are loaded from where they are; others, and the last few,
  // are laid out first, once for all columns.
  void take(std::size_t i, bool two) {
    for (std::size_t half = 0; half < (two ? 2U : 1U); ++half) {
      Rows& rows = rows_[half];
      const std::size_t first = i + half * kTileSide;
      const std::size_t count = std::min(kTileSide, product_.rows - first);
      const std::uint32_t* from = product_.a + first * product_.a_row;
      rows.direct = count == kTileSide && product_.a_pair == 1 ? from : nullptr;
      if (rows.direct != nullptr) continue;
      const std::size_t terms = product_.a_term == 0 ? 1 : product_.terms;
      rows.copy.assign(terms * product_.pairs * kTileSide, 0U);
      std::uint32_t* to = rows.copy.data();
      for (std::size_t t = 0; t < terms; ++t) {
        for (std::size_t p = 0; p < product_.pairs; p += kTileSide, to += kTilePairs) {
          const std::uint32_t* tile = from + t * product_.a_term + p * product_.a_pair;
          for (std::size_t c = 0; c < kTileSide; ++c) {
            for (std::size_t r = 0; r < count; ++r) {
              to[r * kTileSide + c] = tile[r * product_.a_row + c * product_.a_pair];
            }
          }
        }
      }
    }
  }

  template <int kTile>
  void give(std::size_t i, std::size_t q) {
    const std::size_t count = std::min(kTileSide, product_.rows - i);
    float* c = product_.c + i * product_.ldc + q * kPanel;
    if (count == kTileSide && !product_.add) {
      Tiles::template store<kTile>(c, product_.ldc * sizeof(float));
      return;
    }
    float sums[kTileSide * kPanel];
    Tiles::template store<kTile>(sums, kPanel * sizeof(float));
    for (std::size_t r = 0; r < count; ++r) {
      float* to = c + r * product_.ldc;
      const float* from = sums + r * kPanel;
      for (std::size_t l = 0; l < kPanel; ++l) to[l] = product_.add ? to[l] + from[l] : from[l];
    }
  }

  struct Rows {
    const std::uint32_t* direct = nullptr;
    std::vector<std::uint32_t> copy;
  };

  const PairProduct& product_;
  Rows rows_[2];
};

}  // namespace
}  // namespace zoo::detail
