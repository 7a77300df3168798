// Narrow values as float; the loops are the compiler's to vectorise. Included once a file that is
// compiled for one instruction set.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace zoo::detail {
namespace {

void widen_bf16(const std::uint16_t* from, std::size_t count, float* to) {
  for (std::size_t j = 0; j < count; ++j) {
    to[j] = std::bit_cast<float>(static_cast<std::uint32_t>(from[j]) << 16);
  }
}

// Exponent and fraction moved to where float has them, then multiplied by 2^112, the difference of
// the biases: subnormals come out right, and what has all exponent bits gets them back.
void widen_f16(const std::uint16_t* from, std::size_t count, float* to) {
  constexpr auto kBias = std::bit_cast<float>(std::uint32_t{0x77800000});
  for (std::size_t j = 0; j < count; ++j) {
    const std::uint32_t bits = from[j], size = (bits & 0x7FFFU) << 13;
    auto value = std::bit_cast<std::uint32_t>(std::bit_cast<float>(size) * kBias);
    value |= size >= 0x0F800000U ? 0x7F800000U : 0U;
    to[j] = std::bit_cast<float>(value | (bits & 0x8000U) << 16);
  }
}

void widen_i8(const std::int8_t* from, float scale, std::size_t count, float* to) {
  for (std::size_t j = 0; j < count; ++j) to[j] = static_cast<float>(from[j]) * scale;
}

}  // namespace
}  // namespace zoo::detail
