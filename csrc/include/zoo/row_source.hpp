// Rows as they are stored, read a block at a time: in memory in any type, or in a store that may be
// larger than memory. What works on rows takes them from here and widens them a tile at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "zoo/matrix_view.hpp"
#include "zoo/store.hpp"

namespace zoo {

enum class RowType : std::uint8_t { kF64, kF32, kF16, kBF16, kI8 };

[[nodiscard]] std::size_t row_type_size(RowType type) noexcept;  // bytes of one value

// Rows that were asked for. One thread's own; it keeps what had to be read.
struct RowBlock {
  std::vector<const std::byte*> rows;  // where each row's values lie
  std::vector<float> scales;           // kI8 alone: what each row's integers are multiplied by
  std::vector<std::byte> bytes;        // what `rows` point into, where they had to be read
};

// n rows of d values each. Any number of threads may read at once, each into a block of its own.
class RowSource {
 public:
  RowSource(std::size_t rows, std::size_t cols, RowType type)
      : rows_(rows), cols_(cols), type_(type) {}
  virtual ~RowSource() = default;
  RowSource(const RowSource&) = default;
  RowSource& operator=(const RowSource&) = default;

  [[nodiscard]] std::size_t rows() const noexcept { return rows_; }
  [[nodiscard]] std::size_t cols() const noexcept { return cols_; }
  [[nodiscard]] RowType type() const noexcept { return type_; }

  // The rows of these numbers, each below rows(), in their order. Valid until `out` is read into
  // again. Errors are the source's own.
  virtual void read(std::span<const std::size_t> numbers, RowBlock& out) const = 0;
  // A hint that read() will want these rows soon.
  virtual void will_need(std::span<const std::size_t> /*numbers*/) const noexcept {}
  // How many rows are best asked for at once.
  [[nodiscard]] virtual std::size_t block_rows() const noexcept = 0;
  // Whether reading in the rows' own order is much cheaper than in any other.
  [[nodiscard]] virtual bool sequential() const noexcept { return false; }

 private:
  std::size_t rows_;
  std::size_t cols_;
  RowType type_;
};

// Rows that somebody else keeps in memory, or has mapped there. Nothing is copied.
class MemoryRows final : public RowSource {
 public:
  explicit MemoryRows(MatrixView<float> x);
  explicit MemoryRows(MatrixView<double> x);
  // Row-major without gaps; `scales` (rows) where the type is kI8. Both outlive this.
  MemoryRows(const void* values, RowType type, std::size_t rows, std::size_t cols,
             const float* scales = nullptr);

  void read(std::span<const std::size_t> numbers, RowBlock& out) const override;
  [[nodiscard]] std::size_t block_rows() const noexcept override { return 1024; }

 private:
  const std::byte* values_;
  std::size_t stride_;  // bytes
  const float* scales_;
};

// One row a key of a column that is not ragged, read from the store whenever it is needed and
// checked each time: a block of about 1 MiB a thread is all that lies in memory. While a block is
// worked on, the disk brings the next where rows are asked for in the order of the files.
class StoreRows final : public RowSource {
 public:
  // The store outlives this. Throws Error(kInvalid) where the column is unknown or ragged, or lacks
  // a key; read() throws what Store::gather throws.
  StoreRows(const Store& store, std::string column, std::vector<RowKey> keys);

  void read(std::span<const std::size_t> numbers, RowBlock& out) const override;
  void will_need(std::span<const std::size_t> numbers) const noexcept override;
  [[nodiscard]] std::size_t block_rows() const noexcept override;
  [[nodiscard]] bool sequential() const noexcept override { return true; }

 private:
  StoreRows(const Store& store, std::string column, std::vector<RowKey> keys, ColumnSpec spec);

  const Store* store_;
  std::string column_;
  std::vector<RowKey> keys_;
};

}  // namespace zoo
