// CRC-32C by the crc32 instruction of SSE4.2; compiled with -msse4.2.
#include <nmmintrin.h>

#include <cstring>

#include "store/crc32c.hpp"

namespace zoo::detail {
namespace {

std::uint64_t word_at(const unsigned char* bytes) noexcept {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes, 8);
  return word;
}

}  // namespace

bool crc32c_isa_available() noexcept { return __builtin_cpu_supports("sse4.2") != 0; }

std::uint32_t crc32c_isa(std::uint32_t crc, const void* data, std::size_t size) noexcept {
  const auto* bytes = static_cast<const unsigned char*>(data);
  std::uint64_t value = ~crc;
  for (; size >= 8; bytes += 8, size -= 8) {
    value = _mm_crc32_u64(value, word_at(bytes));
  }
  auto low = static_cast<std::uint32_t>(value);
  for (; size > 0; ++bytes, --size) low = _mm_crc32_u8(low, *bytes);
  return ~low;
}

void crc32c_lanes_isa(std::array<std::uint32_t, kCrcLanes>& crcs,
                      const std::array<const void*, kCrcLanes>& data, std::size_t size) noexcept {
  static_assert(kCrcLanes == 4);
  const auto* a = static_cast<const unsigned char*>(data[0]);
  const auto* b = static_cast<const unsigned char*>(data[1]);
  const auto* c = static_cast<const unsigned char*>(data[2]);
  const auto* d = static_cast<const unsigned char*>(data[3]);
  const std::size_t words = size / 8;
  std::uint64_t crc_a = static_cast<std::uint32_t>(~crcs[0]);
  std::uint64_t crc_b = static_cast<std::uint32_t>(~crcs[1]);
  std::uint64_t crc_c = static_cast<std::uint32_t>(~crcs[2]);
  std::uint64_t crc_d = static_cast<std::uint32_t>(~crcs[3]);
  for (std::size_t i = 0; i < words; ++i) {
    crc_a = _mm_crc32_u64(crc_a, word_at(a + 8 * i));
    crc_b = _mm_crc32_u64(crc_b, word_at(b + 8 * i));
    crc_c = _mm_crc32_u64(crc_c, word_at(c + 8 * i));
    crc_d = _mm_crc32_u64(crc_d, word_at(d + 8 * i));
  }
  const std::size_t rest = size - 8 * words;
  crcs[0] = crc32c_isa(~static_cast<std::uint32_t>(crc_a), a + 8 * words, rest);
  crcs[1] = crc32c_isa(~static_cast<std::uint32_t>(crc_b), b + 8 * words, rest);
  crcs[2] = crc32c_isa(~static_cast<std::uint32_t>(crc_c), c + 8 * words, rest);
  crcs[3] = crc32c_isa(~static_cast<std::uint32_t>(crc_d), d + 8 * words, rest);
}

}  // namespace zoo::detail
