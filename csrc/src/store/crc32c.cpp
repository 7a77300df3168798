#include "store/crc32c.hpp"

#include <array>
#include <cstring>

namespace zoo::detail {
namespace {

using Tables = std::array<std::array<std::uint32_t, 256>, 8>;

// tables[k][b]: what byte b does to the CRC when k more bytes follow it ("slicing by 8").
constexpr Tables make_tables() {
  Tables tables{};
  for (std::uint32_t b = 0; b < 256; ++b) {
    std::uint32_t crc = b;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1u) != 0 ? 0x82F63B78u : 0u);
    tables[0][b] = crc;
  }
  for (std::size_t k = 1; k < 8; ++k) {
    for (std::size_t b = 0; b < 256; ++b) {
      const std::uint32_t before = tables[k - 1][b];
      tables[k][b] = (before >> 8) ^ tables[0][before & 0xFFu];
    }
  }
  return tables;
}

constexpr Tables kTables = make_tables();

}  // namespace

std::uint32_t crc32c_portable(std::uint32_t crc, const void* data, std::size_t size) noexcept {
  const auto* bytes = static_cast<const unsigned char*>(data);
  crc = ~crc;
  for (; size >= 8; bytes += 8, size -= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes, 8);
    word ^= crc;
    crc = 0;
    for (std::size_t k = 0; k < 8; ++k) crc ^= kTables[7 - k][(word >> (8 * k)) & 0xFFu];
  }
  for (; size > 0; ++bytes, --size) crc = (crc >> 8) ^ kTables[0][(crc ^ *bytes) & 0xFFu];
  return ~crc;
}

std::uint32_t crc32c(std::uint32_t crc, const void* data, std::size_t size) noexcept {
#ifdef ZOO_CRC32C_ISA
  static const bool available = crc32c_isa_available();
  if (available) return crc32c_isa(crc, data, size);
#endif
  return crc32c_portable(crc, data, size);
}

void crc32c_lanes(std::array<std::uint32_t, kCrcLanes>& crcs,
                  const std::array<const void*, kCrcLanes>& data, std::size_t size) noexcept {
#ifdef ZOO_CRC32C_ISA
  static const bool available = crc32c_isa_available();
  if (available) return crc32c_lanes_isa(crcs, data, size);
#endif
  for (std::size_t lane = 0; lane < kCrcLanes; ++lane) {
    crcs[lane] = crc32c_portable(crcs[lane], data[lane], size);
  }
}

}  // namespace zoo::detail
