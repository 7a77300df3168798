// SHA-256 (FIPS 180-4) for a shard's seal: small, portable, a few hundred megabytes a second.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace zoo::detail {

using Sha256Digest = std::array<std::uint8_t, 32>;

class Sha256 {
 public:
  void update(const void* data, std::size_t size) noexcept;
  // Ends the message; the object is of no use afterwards.
  [[nodiscard]] Sha256Digest finish() noexcept;

 private:
  void block(const std::uint8_t* bytes) noexcept;

  std::array<std::uint32_t, 8> state_{0x6a09e667u, 0xbb67ae85u, 0x3c6ef372u, 0xa54ff53au,
                                      0x510e527fu, 0x9b05688cu, 0x1f83d9abu, 0x5be0cd19u};
  std::array<std::uint8_t, 64> buffer_{};
  std::size_t buffered_ = 0;
  std::uint64_t total_ = 0;
};

}  // namespace zoo::detail
