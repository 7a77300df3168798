// The two products of a pass on a tile of rows, in each arithmetic that there is.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "heads/logistic/problem.hpp"
#include "math/kernels.hpp"
#include "math/pairs.hpp"
#include "math/partition.hpp"
#include "rows/row_reader.hpp"

namespace zoo::detail {

// Columns of weights, (columns, d), beside each other for all fits of a pass; and how its threads
// multiply them with rows that are widened to A. A thread has a `Tile` of its own for each block.
template <typename A>
class FloatProducts {
 public:
  static constexpr std::size_t kRows = kLogisticTile;
  using Value = A;

  explicit FloatProducts(const LogisticRows& rows) : d_(rows.d) {}

  // `weights` are used where they are: they may be moved, but not change or end before this.
  void pack(std::vector<A>& weights, std::size_t columns) {
    weights_ = weights.data();
    columns_ = columns;
  }
  [[nodiscard]] std::size_t stride() const noexcept { return columns_; }  // of a tile's logits
  [[nodiscard]] std::size_t width() const noexcept { return d_; }  // of a row of the gradient

  class Tile {
   public:
    Tile(const FloatProducts& products, const RowSource& source,
         std::span<const std::size_t> numbers)
        : products_(products), reader_(source, numbers) {}

    void read(std::size_t begin, std::size_t count) {
      count_ = count;
      x_ = reader_.rows(begin, count);
      next_ = reader_.ahead(begin + count, count);
    }
    // Logits of columns `from` to `from + width - 1`; they may spoil those before.
    void dots(std::size_t from, std::size_t width, A* logits) const {
      kernels().of<A>().dots(x_, count_, products_.d_, products_.weights_ + from * products_.d_,
                             products_.d_, width, logits + from, products_.columns_);
    }
    // gradient += values^T rows for those columns.
    void outer(std::size_t from, std::size_t width, A* values, A* gradient) {
      kernels().of<A>().outer(x_, count_, products_.d_, values + from, products_.columns_, width,
                              gradient + from * products_.d_, products_.d_, next_);
    }

   private:
    const FloatProducts& products_;
    RowReader<A> reader_;
    std::size_t count_ = 0;
    const A* const* x_ = nullptr;
    const A* const* next_ = nullptr;
  };

 private:
  std::size_t d_ = 0, columns_ = 0;
  const A* weights_ = nullptr;
};

// The same for rows of bf16 as they are stored, with weights and residuals in `terms` bf16 terms.
class PairProducts {
 public:
  // Larger than a float tile: a processor with tiles of its own sums 32 rows in one instruction.
  static constexpr std::size_t kRows = 2 * kLogisticTile;
  using Value = float;

  PairProducts(const LogisticRows& rows, std::size_t terms)
      : d_(rows.d), terms_(terms), pairs_(pairs_of(rows.d)) {}

  // Rounds `weights` to what the terms say, so that offsets can be made for that.
  void pack(std::vector<float>& weights, std::size_t columns) {
    panels_ = panels_of(columns);
    packed_.resize(terms_ * panels_ * pairs_ * kPanel);
    pack_columns(weights.data(), d_, columns, d_, terms_, packed_.data());
    if (terms_ > 1) return;  // the rest of two or three is rounding
    for (float& weight : weights) weight = std::bit_cast<float>(upper_bf16(weight));
  }
  [[nodiscard]] std::size_t stride() const noexcept { return panels_ * kPanel; }
  [[nodiscard]] std::size_t width() const noexcept { return panels_of(d_) * kPanel; }

  class Tile {
   public:
    Tile(const PairProducts& products, const RowSource& source,
         std::span<const std::size_t> numbers)
        : products_(products),
          reader_(source, numbers),
          copy_(kRows * products.pairs_),
          rows_(kRows),
          zeros_(products.d_),
          interleaved_(panels_of(products.d_) * kRows / 2 * kPanel) {}

    void read(std::size_t begin, std::size_t count) {
      const std::size_t d = products_.d_, pairs = products_.pairs_;
      const std::byte* const* from = reader_.stored(begin, count);
      count_ = count;
      for (std::size_t i = 0; i < kRows; ++i) {
        rows_[i] = i < count ? reinterpret_cast<const std::uint16_t*>(from[i]) : zeros_.data();
      }
      if (lie_as_wanted(count)) {
        direct_ = reinterpret_cast<const std::uint32_t*>(rows_[0]);
      } else {
        direct_ = copy_.data();
        for (std::size_t i = 0; i < count; ++i) {
          std::memcpy(copy_.data() + i * pairs, rows_[i], d * sizeof(std::uint16_t));
        }
      }
      kernels().pairs.interleave(rows_.data(), kRows, d, interleaved_.data());
      ahead_ = reader_.stored_ahead(begin + count, count);
      halves_ = 0;
    }

    void dots(std::size_t from, std::size_t width, float* logits) {
      const std::size_t first = from / kPanel;
      PairProduct product;
      product.a = direct_;
      product.a_row = product.pairs = products_.pairs_;
      product.b = products_.packed_.data() + first * products_.pairs_ * kPanel;
      product.b_term = products_.panels_ * products_.pairs_ * kPanel;
      product.rows = count_;
      product.panels = panels_of(from + width) - first;
      product.terms = products_.terms_;
      product.c = logits + first * kPanel;
      product.ldc = products_.stride();
      product.ahead = ahead(1);
      kernels().pairs.multiply(product);
    }

    void outer(std::size_t from, std::size_t width, float* values, float* gradient) {
      const std::size_t pairs = kRows / 2, stride = products_.stride();
      for (std::size_t i = count_; i < kRows; ++i) {
        std::fill_n(values + i * stride + from, width, 0.0F);
      }
      split_.resize(products_.terms_ * pairs * width);
      kernels().pairs.split(values + from, kRows, width, stride, products_.terms_, pairs * width,
                            split_.data());
      PairProduct product;
      product.a = split_.data();
      product.a_row = 1;
      product.a_pair = width;
      product.a_term = pairs * width;
      product.b = interleaved_.data();
      product.rows = width;
      product.panels = panels_of(products_.d_);
      product.pairs = pairs;
      product.terms = products_.terms_;
      product.c = gradient + from * products_.width();
      product.ldc = products_.width();
      product.add = true;
      product.ahead = ahead(2);
      kernels().pairs.multiply(product);
    }

   private:
    // Half of the next tile's rows for each of this one's two products, once.
    RowsAhead ahead(std::size_t half) {
      if (ahead_ == nullptr || half <= halves_) return {};
      halves_ = half;
      const std::size_t middle = count_ / 2, bytes = products_.d_ * sizeof(std::uint16_t);
      if (half == 1) return {ahead_, middle, bytes};
      return {ahead_ + middle, count_ - middle, bytes};
    }

    // Rows beside each other in memory, aligned, without a rest that would need zeros.
    [[nodiscard]] bool lie_as_wanted(std::size_t count) const {
      const std::size_t d = products_.d_;
      if (d != 2 * products_.pairs_ || reinterpret_cast<std::uintptr_t>(rows_[0]) % 4 != 0) {
        return false;
      }
      for (std::size_t i = 1; i < count; ++i) {
        if (rows_[i] != rows_[i - 1] + d) return false;
      }
      return true;
    }

    const PairProducts& products_;
    RowReader<float> reader_;
    std::size_t count_ = 0;
    const std::uint32_t* direct_ = nullptr;  // the rows, or their copy
    const std::byte* const* ahead_ = nullptr;
    std::size_t halves_ = 0;                  // of the rows ahead, already asked for
    std::vector<std::uint32_t> copy_;         // rows beside each other, zero after d values
    std::vector<const std::uint16_t*> rows_;  // kRows of them, the missing ones zero
    std::vector<std::uint16_t> zeros_;
    std::vector<std::uint32_t> interleaved_, split_;
  };

 private:
  std::size_t d_, terms_, pairs_, panels_ = 0;
  std::vector<std::uint32_t> packed_;
};

}  // namespace zoo::detail
