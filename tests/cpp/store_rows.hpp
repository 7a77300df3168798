// Rows whose values follow from their numbers, to append and to compare with.
#pragma once

#include <cstring>
#include <vector>

#include "zoo/store.hpp"

inline zoo::RowKey key_of(std::uint64_t number) {
  zoo::RowKey key;
  std::memcpy(key.bytes.data(), &number, 8);
  return key;
}

inline std::vector<zoo::RowKey> keys_of(std::uint64_t first, std::uint64_t count) {
  std::vector<zoo::RowKey> keys;
  for (std::uint64_t i = 0; i < count; ++i) keys.push_back(key_of(first + i));
  return keys;
}

inline std::vector<float> values_of(std::uint64_t first, std::uint64_t count, std::size_t dim) {
  std::vector<float> values;
  for (std::uint64_t i = 0; i < count; ++i) {
    for (std::size_t j = 0; j < dim; ++j) {
      values.push_back(static_cast<float>(first + i) + static_cast<float>(j) / 1024.0f);
    }
  }
  return values;
}

inline zoo::ColumnRows column_of(const std::string& name, const std::vector<float>& values,
                                 std::size_t dim) {
  return {{name, zoo::DType::kF32, dim}, std::as_bytes(std::span(values))};
}

inline std::size_t append_rows(zoo::Store& store, std::uint64_t first, std::uint64_t count,
                               std::size_t dim = 3, const std::string& name = "x") {
  const std::vector<float> values = values_of(first, count, dim);
  const zoo::ColumnRows column = column_of(name, values, dim);
  return store.append({}, keys_of(first, count), {&column, 1});
}

// Whether the store gives exactly these rows back.
inline bool has_rows(const zoo::Store& store, std::uint64_t first, std::uint64_t count,
                     std::size_t dim = 3, const std::string& name = "x") {
  std::vector<float> out(count * dim);
  const std::size_t missing =
      store.gather({}, keys_of(first, count), name, {std::as_writable_bytes(std::span(out))});
  return missing == 0 && out == values_of(first, count, dim);
}
