// CRC-32C by the CRC instructions of ARMv8; compiled with -march=armv8-a+crc.
#include <arm_acle.h>

#if defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

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

bool crc32c_isa_available() noexcept {
#if defined(__linux__)
  return (::getauxval(AT_HWCAP) & HWCAP_CRC32) != 0;
#else
  return true;  // every 64-bit Apple processor has it
#endif
}

std::uint32_t crc32c_isa(std::uint32_t crc, const void* data, std::size_t size) noexcept {
  const auto* bytes = static_cast<const unsigned char*>(data);
  crc = ~crc;
  for (; size >= 8; bytes += 8, size -= 8) {
    crc = __crc32cd(crc, word_at(bytes));
  }
  for (; size > 0; ++bytes, --size) crc = __crc32cb(crc, *bytes);
  return ~crc;
}

void crc32c_lanes_isa(std::array<std::uint32_t, kCrcLanes>& crcs,
                      const std::array<const void*, kCrcLanes>& data, std::size_t size) noexcept {
  static_assert(kCrcLanes == 4);
  const auto* a = static_cast<const unsigned char*>(data[0]);
  const auto* b = static_cast<const unsigned char*>(data[1]);
  const auto* c = static_cast<const unsigned char*>(data[2]);
  const auto* d = static_cast<const unsigned char*>(data[3]);
  const std::size_t words = size / 8;
  std::uint32_t crc_a = ~crcs[0];
  std::uint32_t crc_b = ~crcs[1];
  std::uint32_t crc_c = ~crcs[2];
  std::uint32_t crc_d = ~crcs[3];
  for (std::size_t i = 0; i < words; ++i) {
    crc_a = __crc32cd(crc_a, word_at(a + 8 * i));
    crc_b = __crc32cd(crc_b, word_at(b + 8 * i));
    crc_c = __crc32cd(crc_c, word_at(c + 8 * i));
    crc_d = __crc32cd(crc_d, word_at(d + 8 * i));
  }
  const std::size_t rest = size - 8 * words;
  crcs[0] = crc32c_isa(~crc_a, a + 8 * words, rest);
  crcs[1] = crc32c_isa(~crc_b, b + 8 * words, rest);
  crcs[2] = crc32c_isa(~crc_c, c + 8 * words, rest);
  crcs[3] = crc32c_isa(~crc_d, d + 8 * words, rest);
}

}  // namespace zoo::detail
