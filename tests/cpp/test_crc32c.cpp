#include <array>
#include <string>
#include <vector>

#include "check.hpp"
#include "store/crc32c.hpp"

using zoo::detail::crc32c;
using zoo::detail::crc32c_portable;

namespace {

void known_answers() {  // RFC 3720, appendix B.4
  std::array<unsigned char, 32> bytes{};
  CHECK(crc32c(0, bytes.data(), 32) == 0x8A9136AAu);
  bytes.fill(0xFF);
  CHECK(crc32c(0, bytes.data(), 32) == 0x62A8AB43u);
  for (std::size_t i = 0; i < 32; ++i) bytes[i] = static_cast<unsigned char>(i);
  CHECK(crc32c(0, bytes.data(), 32) == 0x46DD794Eu);
  for (std::size_t i = 0; i < 32; ++i) bytes[i] = static_cast<unsigned char>(31 - i);
  CHECK(crc32c(0, bytes.data(), 32) == 0x113FDB5Cu);
  CHECK(crc32c(0, "123456789", 9) == 0xE3069283u);
  CHECK(crc32c_portable(0, "123456789", 9) == 0xE3069283u);
  CHECK(crc32c(0, nullptr, 0) == 0);
}

void every_length_and_split_agrees_with_the_portable_version() {
  std::vector<unsigned char> bytes(100);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<unsigned char>(i * 151 + 7);
  }
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    const std::uint32_t whole = crc32c_portable(0, bytes.data(), size);
    CHECK(crc32c(0, bytes.data(), size) == whole);
    for (std::size_t cut = 0; cut <= size; ++cut) {
      CHECK(crc32c(crc32c(0, bytes.data(), cut), bytes.data() + cut, size - cut) == whole);
    }
  }
}

void lanes_agree_with_one_after_the_other() {
  std::vector<unsigned char> bytes(400);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<unsigned char>(i * 89 + 3);
  for (std::size_t size = 0; size <= 70; ++size) {
    std::array<std::uint32_t, zoo::detail::kCrcLanes> crcs = {0, 1, 0xFFFFFFFFu, 77};
    std::array<const void*, zoo::detail::kCrcLanes> data{};
    std::array<std::uint32_t, zoo::detail::kCrcLanes> expected{};
    for (std::size_t lane = 0; lane < crcs.size(); ++lane) {
      data[lane] = bytes.data() + 71 * lane;
      expected[lane] = crc32c_portable(crcs[lane], data[lane], size);
    }
    zoo::detail::crc32c_lanes(crcs, data, size);
    CHECK(crcs == expected);
  }
}

}  // namespace

int main() {
  lanes_agree_with_one_after_the_other();
  known_answers();
  every_length_and_split_agrees_with_the_portable_version();
}
