// Rows and labels for tests, the same on every machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace zoo_test {

template <typename T>
std::vector<T> random_rows(std::size_t count, std::uint32_t seed = 1) {
  std::mt19937 engine(seed);
  std::vector<T> out(count);
  for (T& value : out) {
    value = static_cast<T>(static_cast<double>(engine()) / 2147483648.0 - 1.0);
  }
  return out;
}

}  // namespace zoo_test
