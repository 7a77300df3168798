// Rows of three kinds of column whose every byte follows from the row's number, and a check that a
// store holds those that it must and none that is wrong.
#pragma once

#include <array>
#include <bitset>
#include <cstring>
#include <numeric>
#include <string>
#include <vector>

#include "check.hpp"
#include "store_rows.hpp"
#include "zoo/store.hpp"

inline constexpr std::size_t kRows = 96;  // numbers 0 .. 95 of each column
inline constexpr std::size_t kKinds = 3;
using RowSet = std::bitset<kRows * kKinds>;

enum Kind : std::size_t { kPlain, kRagged, kScaled };

inline zoo::ColumnSpec known_spec(std::size_t kind) {
  constexpr std::array<std::size_t, kKinds> kDims = {24, 9, 40};
  constexpr std::array<zoo::DType, kKinds> kTypes = {zoo::DType::kF32, zoo::DType::kF16,
                                                     zoo::DType::kI8};
  return {std::string(1, "xtq"[kind]), kTypes[kind], kDims[kind], kind == kRagged};
}

// Rows of one column with the bytes that the numbers ask for.
struct KnownRows {
  zoo::ColumnSpec spec;
  std::vector<zoo::RowKey> keys = {};
  std::vector<std::byte> values = {};
  std::vector<std::int64_t> offsets = {};
  std::vector<float> scales = {};

  KnownRows(std::size_t kind, std::span<const std::uint64_t> numbers) : spec(known_spec(kind)) {
    if (spec.ragged) offsets.push_back(0);
    const std::size_t bytes = spec.dim * zoo::dtype_size(spec.dtype);
    std::size_t vectors = 0;
    for (const std::uint64_t number : numbers) {
      keys.push_back(key_of(number));
      const std::size_t more = spec.ragged ? number * 7 % 5 : 1;
      vectors += more;
      if (spec.ragged) offsets.push_back(static_cast<std::int64_t>(vectors));
      if (spec.dtype == zoo::DType::kI8) scales.push_back(static_cast<float>(number) + 0.5f);
      std::uint64_t state = number * 1000 + kind;
      for (std::size_t i = 0; i < more * bytes; ++i) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        values.push_back(static_cast<std::byte>(state >> 56));
      }
    }
  }

  [[nodiscard]] zoo::ColumnRows rows() const { return {spec, values, offsets, scales}; }
};

inline std::vector<std::uint64_t> numbers_of(std::uint64_t first, std::uint64_t count) {
  std::vector<std::uint64_t> numbers(count);
  std::iota(numbers.begin(), numbers.end(), first);
  return numbers;
}

inline RowSet set_of(std::initializer_list<std::size_t> kinds, std::uint64_t first,
                     std::uint64_t count) {
  RowSet rows;
  for (const std::size_t kind : kinds) {
    for (std::uint64_t i = first; i < first + count; ++i) rows.set(kind * kRows + i);
  }
  return rows;
}

// Appends rows first .. first + count - 1 of these columns in one call.
inline std::size_t append_known(zoo::Store& store, std::initializer_list<std::size_t> kinds,
                                std::uint64_t first, std::uint64_t count) {
  std::vector<KnownRows> rows;
  for (const std::size_t kind : kinds) rows.emplace_back(kind, numbers_of(first, count));
  std::vector<zoo::ColumnRows> columns;
  for (const KnownRows& each : rows) columns.push_back(each.rows());
  return store.append({}, rows.front().keys, columns);
}

// What gather gives of rows that are there, against what it must.
inline void check_gathered(const zoo::Store& store, const KnownRows& wanted) {
  std::vector<std::byte> values(wanted.values.size());
  std::vector<float> scales(wanted.scales.size());
  if (wanted.spec.ragged) {
    std::vector<std::int64_t> lengths(wanted.keys.size());
    CHECK(store.lengths({}, wanted.keys, wanted.spec.name, lengths) == 0);
    for (std::size_t i = 0; i < lengths.size(); ++i) {
      CHECK(lengths[i] == wanted.offsets[i + 1] - wanted.offsets[i]);
    }
  }
  const zoo::RowBuffers out{values, wanted.offsets, scales};
  CHECK(store.gather({}, wanted.keys, wanted.spec.name, out) == 0);
  CHECK(values == wanted.values && scales == wanted.scales);
}

// The rows that a scan gives; none comes twice.
inline RowSet check_scanned(const zoo::Store& store, std::size_t kind) {
  const zoo::ColumnSpec spec = known_spec(kind);
  RowSet seen;
  zoo::Scan scan = store.scan(spec.name);
  for (auto size = scan.next(7); size.rows > 0; size = scan.next(7)) {
    std::vector<zoo::RowKey> keys(size.rows);
    std::vector<std::byte> values(size.vectors * spec.dim * zoo::dtype_size(spec.dtype));
    std::vector<std::int64_t> offsets(spec.ragged ? size.rows + 1 : 0);
    std::vector<float> scales(spec.dtype == zoo::DType::kI8 ? size.vectors : 0);
    scan.read({}, keys, {values, {}, scales}, offsets);
    std::vector<std::uint64_t> numbers;
    for (const zoo::RowKey& key : keys) {
      std::uint64_t number = 0;
      std::memcpy(&number, key.bytes.data(), sizeof number);
      CHECK(number < kRows && !seen.test(kind * kRows + number));
      seen.set(kind * kRows + number);
      numbers.push_back(number);
    }
    const KnownRows wanted(kind, numbers);
    CHECK(keys == wanted.keys && values == wanted.values && offsets == wanted.offsets &&
          scales == wanted.scales);
  }
  return seen;
}

// Checks that these rows are in the store, that each row in it is right however it is read, and
// that no shard is damaged. Returns the rows that are in it.
inline RowSet check_store(const zoo::Store& store, const RowSet& required) {
  CHECK(store.damaged().empty());
  RowSet present;
  for (std::size_t kind = 0; kind < kKinds; ++kind) {
    zoo::ColumnSpec spec;
    if (!store.find_column(known_spec(kind).name, spec)) continue;
    CHECK(spec == known_spec(kind));
    // First: reading may take up what another process has written meanwhile.
    const RowSet scanned = check_scanned(store, kind);
    const std::vector<zoo::RowKey> keys = keys_of(0, kRows);
    std::vector<std::uint8_t> has(kRows);
    store.contains(keys, spec.name, has);
    std::vector<std::uint64_t> numbers;
    for (std::uint64_t i = 0; i < kRows; ++i) {
      if (has[i] == 0) continue;
      present.set(kind * kRows + i);
      numbers.push_back(i);
    }
    for (std::uint64_t i = kind * kRows; i < (kind + 1) * kRows; ++i) {
      CHECK(present[i] == scanned[i]);
    }
    check_gathered(store, KnownRows(kind, numbers));
  }
  CHECK((required & ~present).none());
  CHECK(store.verify({}).damaged.empty());
  return present;
}
