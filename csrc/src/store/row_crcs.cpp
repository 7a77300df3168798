#include "store/row_crcs.hpp"

#include <algorithm>
#include <array>

#include "store/crc32c.hpp"

namespace zoo::detail {
namespace {

std::uint32_t head_crc(const RowParts& row) noexcept {
  std::uint32_t crc = crc32c(0, row.key->bytes.data(), row.key->bytes.size());
  if (row.offsets != nullptr) crc = crc32c(crc, row.offsets, 2 * sizeof(std::int64_t));
  if (row.scale_bytes > 0) crc = crc32c(crc, row.scales, row.scale_bytes);
  return crc;
}

}  // namespace

void row_crcs(std::span<const RowParts> rows, std::span<std::uint32_t> out) noexcept {
  std::size_t i = 0;
  for (; i + kCrcLanes <= rows.size(); i += kCrcLanes) {
    std::array<std::uint32_t, kCrcLanes> crcs{};
    std::array<const void*, kCrcLanes> data{};
    bool same = true;
    for (std::size_t lane = 0; lane < kCrcLanes; ++lane) {
      const RowParts& row = rows[i + lane];
      crcs[lane] = head_crc(row);
      data[lane] = row.values;
      same &= row.value_bytes == rows[i].value_bytes;
    }
    if (same) {
      crc32c_lanes(crcs, data, rows[i].value_bytes);
    } else {
      for (std::size_t lane = 0; lane < kCrcLanes; ++lane) {
        crcs[lane] = crc32c(crcs[lane], data[lane], rows[i + lane].value_bytes);
      }
    }
    std::copy(crcs.begin(), crcs.end(), out.begin() + static_cast<std::ptrdiff_t>(i));
  }
  for (; i < rows.size(); ++i) {
    out[i] = crc32c(head_crc(rows[i]), rows[i].values, rows[i].value_bytes);
  }
}

}  // namespace zoo::detail
