// All that can be done with a store of a few files, each of them perhaps hostile.
#pragma once

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "memory_vfs.hpp"
#include "zoo/store.hpp"

#define ZOO_MUST(condition)                                                                 \
  do {                                                                                      \
    if (!(condition)) {                                                                     \
      std::fprintf(stderr, "%s:%d: ZOO_MUST(%s) failed\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                         \
    }                                                                                       \
  } while (false)

inline const std::string kFuzzFolder = "s";

// A column as it was read: each row's key with its bytes, scales and all.
using ReadRows = std::map<zoo::RowKey, std::vector<std::byte>>;

inline std::vector<std::byte> row_bytes(const zoo::ColumnSpec& spec,
                                        const std::vector<std::byte>& values,
                                        const std::vector<float>& scales, std::size_t from,
                                        std::size_t to) {
  const std::size_t size = spec.dim * zoo::dtype_size(spec.dtype);
  std::vector<std::byte> bytes(values.begin() + static_cast<std::ptrdiff_t>(from * size),
                               values.begin() + static_cast<std::ptrdiff_t>(to * size));
  if (!scales.empty()) {
    const auto raw = std::as_bytes(std::span(scales).subspan(from, to - from));
    bytes.insert(bytes.end(), raw.begin(), raw.end());
  }
  return bytes;
}

inline ReadRows scan_column(const zoo::Store& store, const zoo::ColumnSpec& spec) {
  ReadRows rows;
  zoo::Scan scan = store.scan(spec.name);
  for (auto size = scan.next(64); size.rows > 0; size = scan.next(64)) {
    std::vector<zoo::RowKey> keys(size.rows);
    std::vector<std::byte> values(size.vectors * spec.dim * zoo::dtype_size(spec.dtype));
    std::vector<std::int64_t> offsets(spec.ragged ? size.rows + 1 : 0);
    std::vector<float> scales(spec.dtype == zoo::DType::kI8 ? size.vectors : 0);
    scan.read({}, keys, {values, {}, scales}, offsets);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const std::size_t from = spec.ragged ? static_cast<std::size_t>(offsets[i]) : i;
      const std::size_t to = spec.ragged ? static_cast<std::size_t>(offsets[i + 1]) : i + 1;
      ZOO_MUST(rows.emplace(keys[i], row_bytes(spec, values, scales, from, to)).second);
    }
  }
  return rows;
}

// Reads the same rows by their keys, the last first.
inline ReadRows gather_column(const zoo::Store& store, const zoo::ColumnSpec& spec,
                              const ReadRows& known) {
  std::vector<zoo::RowKey> keys;
  for (auto row = known.rbegin(); row != known.rend(); ++row) keys.push_back(row->first);
  std::vector<std::uint8_t> has(keys.size());
  store.contains(keys, spec.name, has);
  ZOO_MUST(std::count(has.begin(), has.end(), 0) == 0);
  std::vector<std::int64_t> lengths(keys.size());
  ZOO_MUST(store.lengths({}, keys, spec.name, lengths) == 0);
  std::vector<std::int64_t> offsets(1, 0);
  for (const std::int64_t length : lengths) offsets.push_back(offsets.back() + length);
  const auto vectors = static_cast<std::size_t>(offsets.back());
  std::vector<std::byte> values(vectors * spec.dim * zoo::dtype_size(spec.dtype));
  std::vector<float> scales(spec.dtype == zoo::DType::kI8 ? vectors : 0);
  const std::span<const std::int64_t> places =
      spec.ragged ? std::span<const std::int64_t>(offsets) : std::span<const std::int64_t>();
  ZOO_MUST(store.gather({}, keys, spec.name, {values, places, scales}) == 0);
  ReadRows rows;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    rows[keys[i]] = row_bytes(spec, values, scales, static_cast<std::size_t>(offsets[i]),
                              static_cast<std::size_t>(offsets[i + 1]));
  }
  return rows;
}

// Everything in the store, read in every way. Throws kCorrupt where it meets damage.
inline std::map<std::string, ReadRows> read_everything(const zoo::Store& store) {
  std::map<std::string, ReadRows> all;
  for (const zoo::ColumnInfo& info : store.columns()) {
    const ReadRows rows = scan_column(store, info.spec);
    ZOO_MUST(rows.size() == info.rows);
    ZOO_MUST(gather_column(store, info.spec, rows) == rows);
    for (const zoo::ShardView& view : store.views(info.spec.name)) {
      ZOO_MUST(!view.keys.empty() && view.spec == info.spec);
    }
    all[info.spec.name] = rows;
  }
  return all;
}

// The same rows; `values`: with the same values, too.
inline bool same(const std::map<std::string, ReadRows>& a, const std::map<std::string, ReadRows>& b,
                 bool values) {
  if (values) return a == b;
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.first == y.first &&
           std::equal(x.second.begin(), x.second.end(), y.second.begin(), y.second.end(),
                      [](const auto& p, const auto& q) { return p.first == q.first; });
  });
}

// Opens the store on this disk, reads, verifies and compacts it, and opens it anew. Damage must
// come as kCorrupt; where verify() finds none, there is none, and compaction changes no row.
// `unequal`: the files may give a key twice with different values, as no writer does; then either
// counts. Returns how many rows could be read.
inline std::size_t do_everything(MemoryDisk& disk, bool unequal) {
  MemoryVfs vfs(disk);
  zoo::StoreOptions options;
  options.vfs = &vfs;
  zoo::Store store(kFuzzFolder, options);
  const bool sound = store.verify({}).damaged.empty();
  std::map<std::string, ReadRows> before;
  try {
    before = read_everything(store);
    (void)store.compact({});
  } catch (const zoo::Error& error) {
    ZOO_MUST(error.kind() == zoo::ErrorKind::kCorrupt && !sound);
    return 0;
  }
  if (sound) {
    ZOO_MUST(store.verify({}).damaged.empty() && same(read_everything(store), before, !unequal));
    ZOO_MUST(same(read_everything(zoo::Store(kFuzzFolder, options)), before, !unequal));
  }
  std::size_t rows = 0;
  for (const auto& [name, column] : before) rows += column.size();
  return rows;
}

inline std::size_t allocation_limit(std::size_t file_bytes) {
  return 16 * file_bytes + (std::size_t{256} << 10);
}
