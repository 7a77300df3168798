// Small random changes to bytes, of the kinds that break parsers.
#pragma once

#include <algorithm>
#include <array>
#include <cstring>

#include "target.hpp"

inline std::size_t below(Random& random, std::size_t limit) {
  return limit == 0 ? 0 : static_cast<std::size_t>(random() % limit);
}

// Numbers at which sizes overflow, wrap or change sign.
inline std::uint64_t odd_number(Random& random) {
  constexpr std::array<std::uint64_t, 16> kOdd = {0,
                                                  1,
                                                  2,
                                                  3,
                                                  7,
                                                  64,
                                                  255,
                                                  65535,
                                                  0x7FFFFFFF,
                                                  0xFFFFFFFE,
                                                  0xFFFFFFFF,
                                                  std::uint64_t{1} << 32,
                                                  std::uint64_t{1} << 61,
                                                  std::uint64_t{1} << 62,
                                                  INT64_MAX,
                                                  UINT64_MAX};
  return kOdd[below(random, kOdd.size())] + (random() % 4 == 0 ? random() % 3 - 1 : 0);
}

// One change somewhere in first .. end - 1; may change the length.
template <typename Byte>
void edit(std::vector<Byte>& bytes, std::size_t first, std::size_t end, Random& random) {
  if (first >= end) return;
  const auto at = static_cast<std::ptrdiff_t>(first + below(random, end - first));
  const auto place = bytes.begin() + at;
  const std::size_t left = end - static_cast<std::size_t>(at);
  switch (random() % 6) {
    case 0:
      *place = static_cast<Byte>(static_cast<unsigned>(*place) ^ (1u << (random() % 8)));
      break;
    case 1:
      *place = static_cast<Byte>(random());
      break;
    case 2: {
      const std::uint64_t number = odd_number(random);
      const std::size_t size = std::min(left, std::size_t{1} << (random() % 4));
      std::memcpy(&*place, &number, size);
      break;
    }
    case 3:
      bytes.insert(place, 1 + below(random, 8), static_cast<Byte>(random()));
      break;
    case 4:
      bytes.erase(place, place + static_cast<std::ptrdiff_t>(
                                     1 + below(random, std::min<std::size_t>(left, 8))));
      break;
    default: {  // a piece from elsewhere
      const std::size_t size = 1 + below(random, std::min<std::size_t>(left, 16));
      const std::size_t from = first + below(random, end - first - size + 1);
      const std::vector<Byte> piece(bytes.begin() + static_cast<std::ptrdiff_t>(from),
                                    bytes.begin() + static_cast<std::ptrdiff_t>(from + size));
      std::copy(piece.begin(), piece.end(), place);
      break;
    }
  }
}

inline void cut_or_grow(Bytes& bytes, Random& random) {
  const std::size_t size =
      random() % 2 == 0 ? below(random, bytes.size() + 1) : bytes.size() + below(random, 200);
  bytes.resize(size, static_cast<std::byte>(random()));
}
