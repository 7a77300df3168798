#include "store/table.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "store/checked.hpp"

namespace zoo::detail {
namespace {

// Grows by doubling, so that many small appends stay linear.
template <typename T>
void make_room(std::vector<T>& values, std::size_t more) {
  const std::size_t needed = values.size() + more;
  if (needed > values.capacity()) values.reserve(std::max(needed, 2 * values.capacity()));
}

}  // namespace

VectorRange vectors_of(std::span<const std::int64_t> offsets, bool ragged,
                       std::size_t row) noexcept {
  if (!ragged) return {row, row + 1};
  return {static_cast<std::size_t>(offsets[row]), static_cast<std::size_t>(offsets[row + 1])};
}

std::string rows_problem(const ColumnRows& given, std::size_t rows) {
  const std::string name = "column '" + given.spec.name + "'";
  std::uint64_t vectors = rows;
  if (given.spec.ragged) {
    if (given.offsets.size() != rows + 1 || given.offsets[0] != 0 ||
        !std::is_sorted(given.offsets.begin(), given.offsets.end())) {
      return name + " needs a row a key: offsets from 0 on that never fall, one more than keys";
    }
    vectors = static_cast<std::uint64_t>(given.offsets.back());
  } else if (!given.offsets.empty()) {
    return name + " has offsets, but is not ragged";
  }
  const auto vector_bytes = checked_mul(given.spec.dim, dtype_size(given.spec.dtype));
  const auto bytes = vector_bytes ? checked_mul(vectors, *vector_bytes) : vector_bytes;
  if (!bytes || given.values.size() != *bytes) return name + " needs a row a key";
  if (given.scales.size() != (given.spec.dtype == DType::kI8 ? vectors : 0)) {
    return name + (given.spec.dtype == DType::kI8 ? " needs a scale a vector" : " takes no scales");
  }
  return "";
}

Table::Table(std::vector<ColumnSpec> specs) : specs_(std::move(specs)) {
  for (const ColumnSpec& spec : specs_) {
    parts_.push_back({spec.dim * dtype_size(spec.dtype), {}, {}, {}});
    if (spec.ragged) parts_.back().offsets.push_back(0);
  }
}

std::size_t Table::column(std::string_view name) const noexcept {
  std::size_t number = 0;
  while (number < specs_.size() && specs_[number].name != name) ++number;
  return number;
}

std::vector<ColumnRows> Table::columns() const {
  std::vector<ColumnRows> out;
  for (std::size_t c = 0; c < specs_.size(); ++c) {
    out.push_back({specs_[c], parts_[c].values, parts_[c].offsets, parts_[c].scales});
  }
  return out;
}

void Table::reserve(std::span<const std::uint32_t> picked,
                    std::span<const ColumnRows* const> columns) {
  make_room(keys_, picked.size());
  for (std::size_t c = 0; c < parts_.size(); ++c) {
    const ColumnRows& given = *columns[c];
    std::size_t vectors = 0;
    for (const std::uint32_t row : picked) {
      vectors += vectors_of(given.offsets, given.spec.ragged, row).size();
    }
    make_room(parts_[c].values, vectors * parts_[c].vector_bytes);
    if (specs_[c].ragged) make_room(parts_[c].offsets, picked.size());
    if (!given.scales.empty()) make_room(parts_[c].scales, vectors);
  }
}

void Table::append(std::span<const RowKey> keys, std::span<const std::uint32_t> picked,
                   std::span<const ColumnRows* const> columns) {
  for (const std::uint32_t row : picked) keys_.push_back(keys[row]);
  bytes_ += picked.size() * kKeyBytes;
  for (std::size_t c = 0; c < parts_.size(); ++c) {
    const ColumnRows& given = *columns[c];
    Part& part = parts_[c];
    const std::size_t before = part.values.size();
    // Neighbours go together: usually all rows are picked, and that is one copy.
    for (std::size_t i = 0; i < picked.size();) {
      std::size_t end = i + 1;
      while (end < picked.size() && picked[end] == picked[end - 1] + 1) ++end;
      const VectorRange range{
          vectors_of(given.offsets, given.spec.ragged, picked[i]).from,
          vectors_of(given.offsets, given.spec.ragged, picked[end - 1]).to,
      };
      const auto values =
          given.values.subspan(range.from * part.vector_bytes, range.size() * part.vector_bytes);
      part.values.insert(part.values.end(), values.begin(), values.end());
      if (!given.scales.empty()) {
        const auto scales = given.scales.subspan(range.from, range.size());
        part.scales.insert(part.scales.end(), scales.begin(), scales.end());
      }
      if (given.spec.ragged) {
        for (; i < end; ++i) {
          const std::int64_t length = given.offsets[picked[i] + 1] - given.offsets[picked[i]];
          part.offsets.push_back(part.offsets.back() + length);
        }
      }
      i = end;
    }
    bytes_ += part.values.size() - before;
  }
}

void Table::clear() {
  keys_.clear();
  bytes_ = 0;
  for (std::size_t c = 0; c < parts_.size(); ++c) {
    parts_[c].values.clear();
    parts_[c].scales.clear();
    parts_[c].offsets.assign(specs_[c].ragged ? 1 : 0, 0);
  }
}

std::int64_t Table::length(std::size_t column, std::uint32_t row) const noexcept {
  return static_cast<std::int64_t>(
      vectors_of(parts_[column].offsets, specs_[column].ragged, row).size());
}

void Table::copy_row(std::size_t column, std::uint32_t row, const RowBuffers& out,
                     std::size_t to) const {
  const Part& part = parts_[column];
  const bool ragged = specs_[column].ragged;
  const VectorRange from = vectors_of(part.offsets, ragged, row);
  const VectorRange place = vectors_of(out.offsets, ragged, to);
  if (from.size() == 0) return;
  std::memcpy(out.values.data() + place.from * part.vector_bytes,
              part.values.data() + from.from * part.vector_bytes, from.size() * part.vector_bytes);
  if (!part.scales.empty()) {
    std::memcpy(out.scales.data() + place.from, part.scales.data() + from.from,
                from.size() * sizeof(float));
  }
}

}  // namespace zoo::detail
