// CRC-32C by the crc32 instruction of SSE4.2; compiled with -msse4.2.
#include <nmmintrin.h>

#include <cstring>

#include "store/crc32c.hpp"

namespace zoo::detail {

bool crc32c_isa_available() noexcept { return __builtin_cpu_supports("sse4.2") != 0; }

std::uint32_t crc32c_isa(std::uint32_t crc, const void* data, std::size_t size) noexcept {
  const auto* bytes = static_cast<const unsigned char*>(data);
  std::uint64_t value = ~crc;
  for (; size >= 8; bytes += 8, size -= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes, 8);
    value = _mm_crc32_u64(value, word);
  }
  auto low = static_cast<std::uint32_t>(value);
  for (; size > 0; ++bytes, --size) low = _mm_crc32_u8(low, *bytes);
  return ~low;
}

}  // namespace zoo::detail
