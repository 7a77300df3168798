// Checksums of a column's rows: over key, offset pair, scales and values, several rows at a time.
#pragma once

#include <cstdint>
#include <span>

#include "zoo/store.hpp"

namespace zoo::detail {

// One row of a column in memory, wherever its parts lie.
struct RowParts {
  const RowKey* key = nullptr;
  const std::int64_t* offsets = nullptr;  // its pair, where the column is ragged
  const float* scales = nullptr;          // where it is scaled
  std::size_t scale_bytes = 0;
  const std::byte* values = nullptr;
  std::size_t value_bytes = 0;
};

// out[i] = CRC-32C of rows[i]. Rows of the same size go fastest: four at a time.
void row_crcs(std::span<const RowParts> rows, std::span<std::uint32_t> out) noexcept;

}  // namespace zoo::detail
