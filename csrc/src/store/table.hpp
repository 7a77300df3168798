// Rows in memory that no shard holds yet: all of the same columns, in the order they came.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "store/layout.hpp"
#include "store/shard.hpp"
#include "zoo/store.hpp"

namespace zoo::detail {

class Table {
 public:
  explicit Table(std::vector<ColumnSpec> specs);

  [[nodiscard]] std::size_t rows() const noexcept { return keys_.size(); }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] const std::vector<ColumnSpec>& specs() const noexcept { return specs_; }
  [[nodiscard]] std::span<const RowKey> keys() const noexcept { return keys_; }
  // Its number among the columns; specs().size() where it is not there.
  [[nodiscard]] std::size_t column(std::string_view name) const noexcept;
  // All rows of the columns, in their order.
  [[nodiscard]] std::vector<ColumnRows> columns() const;

  // Makes room for these rows, so that append does not fail.
  void reserve(std::span<const std::uint32_t> picked, std::span<const ColumnRows* const> columns);
  // Adds rows picked[0], picked[1], ... of `keys` and of `columns`, which are in the order of
  // specs(). reserve() came before.
  void append(std::span<const RowKey> keys, std::span<const std::uint32_t> picked,
              std::span<const ColumnRows* const> columns);

  // Forgets the rows and keeps the memory: mapping a shard's worth anew costs more than a copy.
  void clear();

  [[nodiscard]] std::int64_t length(std::size_t column, std::uint32_t row) const noexcept;
  // Copies one row to the place `to` of the caller's buffers.
  void copy_row(std::size_t column, std::uint32_t row, const RowBuffers& out, std::size_t to) const;

 private:
  struct Part {
    std::size_t vector_bytes = 0;
    std::vector<std::byte> values;
    std::vector<std::int64_t> offsets;  // ragged columns alone
    std::vector<float> scales;          // kI8 alone
  };

  std::vector<ColumnSpec> specs_;
  std::vector<RowKey> keys_;
  std::vector<Part> parts_;
  std::uint64_t bytes_ = 0;
};

// The vectors of row `row` of given rows: from, to.
struct VectorRange {
  std::size_t from = 0;
  std::size_t to = 0;
  [[nodiscard]] std::size_t size() const noexcept { return to - from; }
};
[[nodiscard]] VectorRange vectors_of(std::span<const std::int64_t> offsets, bool ragged,
                                     std::size_t row) noexcept;

// Why `given` does not hold `rows` rows of its spec, or nothing.
[[nodiscard]] std::string rows_problem(const ColumnRows& given, std::size_t rows);

}  // namespace zoo::detail
