// Where each byte of a shard stands: the plan that the writer follows and the reader insists on.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "zoo/store.hpp"

namespace zoo::detail {

inline constexpr std::uint64_t kAlignment = 64;
inline constexpr std::uint64_t kKeyBytes = sizeof(RowKey);
inline constexpr std::uint64_t kOrderBytes = 4;
inline constexpr std::uint64_t kCrcBytes = 4;
inline constexpr std::uint64_t kOffsetBytes = 8;
inline constexpr std::uint64_t kScaleBytes = 4;
inline constexpr std::uint64_t kSealBytes = 32;
inline constexpr std::uint64_t kMaxHeader = std::uint64_t{1} << 20;
inline constexpr std::uint64_t kMaxRows = 0xFFFFFFFEu;  // a row number fits 32 bits

// A column and how many vectors it has: the rows' number, where it is not ragged.
struct SizedColumn {
  ColumnSpec spec;
  std::uint64_t vectors = 0;
};

// All offsets are from the start of the file.
struct ColumnLayout {
  ColumnSpec spec;
  std::uint64_t vectors = 0;
  std::uint64_t vector_bytes = 0;
  std::uint64_t offsets_offset = 0;  // ragged columns alone
  std::uint64_t values_offset = 0;
  std::uint64_t scale_offset = 0;  // kI8 alone
  std::uint64_t crc_offset = 0;
  [[nodiscard]] bool scaled() const noexcept { return spec.dtype == DType::kI8; }
};

struct ShardLayout {
  std::uint64_t rows = 0;
  std::string head;  // the length field and the header, padded: the file's first bytes
  std::uint64_t key_offset = 0;
  std::uint64_t order_offset = 0;
  std::vector<ColumnLayout> columns;  // in the file's order
  std::uint64_t seal_offset = 0;
  std::uint64_t file_bytes = 0;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> padding;  // offset, size

  [[nodiscard]] const ColumnLayout* find(std::string_view column) const noexcept;
};

// Why these columns can't stand in one shard, or nothing: a bad or repeated name, a dim of 0.
[[nodiscard]] std::string column_problem(std::span<const ColumnSpec> columns);

// The one layout of so many rows of these columns. Throws kInvalid for column_problem and sizes
// that do not fit.
[[nodiscard]] ShardLayout plan_layout(std::uint64_t rows, std::span<const SizedColumn> columns);

// The header's length, from a file's first 8 bytes. Throws ShardDamage when it can't be a shard's.
[[nodiscard]] std::uint64_t head_size(std::span<const std::byte> first8, std::uint64_t file_bytes,
                                      const std::string& path);

// Reads a head (length field and header). Throws ShardDamage unless it is, byte for byte, the head
// of plan_layout for the rows and columns that it names, and the file as long as planned. Holes,
// overlaps, lies about sizes and unknown tensors are all refused by that one comparison.
[[nodiscard]] ShardLayout read_layout(std::string_view head, std::uint64_t file_bytes,
                                      const std::string& path);

}  // namespace zoo::detail
