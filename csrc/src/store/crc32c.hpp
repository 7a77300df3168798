// CRC-32C (Castagnoli, reflected polynomial 0x82F63B78), as in RFC 3720, by the fastest way here.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace zoo::detail {

// Goes on from `crc`, the value of the bytes before (0 for none):
// crc32c(crc32c(0, a), b) == crc32c(0, a + b).
[[nodiscard]] std::uint32_t crc32c(std::uint32_t crc, const void* data, std::size_t size) noexcept;

// Several of them at once, over data of one size: crcs[i] goes on over data[i]. A processor's CRC
// instruction takes three cycles and can begin one a cycle, so four streams go three times as fast
// as one.
inline constexpr std::size_t kCrcLanes = 4;
void crc32c_lanes(std::array<std::uint32_t, kCrcLanes>& crcs,
                  const std::array<const void*, kCrcLanes>& data, std::size_t size) noexcept;

// The versions behind it, for tests; a machine's own must equal the portable one.
[[nodiscard]] std::uint32_t crc32c_portable(std::uint32_t crc, const void* data,
                                            std::size_t size) noexcept;
#ifdef ZOO_CRC32C_ISA
[[nodiscard]] bool crc32c_isa_available() noexcept;
[[nodiscard]] std::uint32_t crc32c_isa(std::uint32_t crc, const void* data,
                                       std::size_t size) noexcept;
void crc32c_lanes_isa(std::array<std::uint32_t, kCrcLanes>& crcs,
                      const std::array<const void*, kCrcLanes>& data, std::size_t size) noexcept;
#endif

}  // namespace zoo::detail
