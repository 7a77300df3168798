// Arbitrary bytes as a shard; the same file stands there twice, so that compaction merges the two.
#include <cstring>
#include <numeric>
#include <string>

#include "allocations.hpp"
#include "edits.hpp"
#include "known_rows.hpp"
#include "store/row_crcs.hpp"
#include "store/shard.hpp"
#include "target.hpp"
#include "whole_store.hpp"

const char* const kTargetName = "shard";

namespace {

using zoo::detail::ColumnLayout;
using zoo::detail::ShardLayout;
using zoo::detail::SizedColumn;

constexpr std::uint64_t kMostBytes = 64 << 10;

Bytes shard_of(std::initializer_list<std::size_t> kinds, std::uint64_t rows) {
  MemoryDisk disk;
  MemoryVfs vfs(disk);
  zoo::StoreOptions options;
  options.vfs = &vfs;
  zoo::Store store(kFuzzFolder, options);
  append_known(store, kinds, 0, rows);
  store.close({});
  return disk.names.begin()->second->bytes;
}

std::uint64_t head_bytes(const Bytes& bytes) {
  std::uint64_t length = 0;
  if (bytes.size() < 8) return bytes.size();
  std::memcpy(&length, bytes.data(), 8);
  return length > bytes.size() - 8 ? bytes.size() : length + 8;
}

// The layout, where the head is a sound one.
bool find_layout(const Bytes& bytes, ShardLayout& layout) {
  const std::uint64_t head = head_bytes(bytes);
  if (head < 8) return false;
  try {
    layout = zoo::detail::read_layout({reinterpret_cast<const char*>(bytes.data()), head},
                                      bytes.size(), "");
    return true;
  } catch (const zoo::Error&) {
    return false;
  }
}

template <typename T>
std::vector<T> tensor(const Bytes& bytes, std::uint64_t offset, std::uint64_t count) {
  std::vector<T> values(count);
  if (count > 0) std::memcpy(values.data(), bytes.data() + offset, count * sizeof(T));
  return values;
}

// Sorts `order`, clears the padding and makes offsets ascend: what a checksum does not mend.
void make_plausible(Bytes& bytes, const ShardLayout& layout) {
  const auto keys = tensor<zoo::RowKey>(bytes, layout.key_offset, layout.rows);
  std::vector<std::uint32_t> order(layout.rows);
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(),
            [&](std::uint32_t a, std::uint32_t b) { return keys[a] < keys[b]; });
  std::memcpy(bytes.data() + layout.order_offset, order.data(), order.size() * 4);
  for (const auto& [offset, size] : layout.padding) {
    std::memset(bytes.data() + offset, 0, static_cast<std::size_t>(size));
  }
  for (const ColumnLayout& column : layout.columns) {
    if (!column.spec.ragged) continue;
    auto offsets = tensor<std::int64_t>(bytes, column.offsets_offset, layout.rows + 1);
    for (auto& offset : offsets) {
      offset = static_cast<std::int64_t>(static_cast<std::uint64_t>(offset) % (column.vectors + 1));
    }
    offsets.front() = 0;
    offsets.back() = static_cast<std::int64_t>(column.vectors);
    std::sort(offsets.begin(), offsets.end());
    std::memcpy(bytes.data() + column.offsets_offset, offsets.data(), offsets.size() * 8);
  }
}

// Makes the checksums and the seal those of the bytes.
void repair(Bytes& bytes, Random& random) {
  ShardLayout layout;
  if (!find_layout(bytes, layout)) return;
  if (random() % 4 != 0) make_plausible(bytes, layout);
  const auto keys = tensor<zoo::RowKey>(bytes, layout.key_offset, layout.rows);
  zoo::detail::Checks checks;
  for (const ColumnLayout& column : layout.columns) {
    const bool ragged = column.spec.ragged;
    const auto offsets =
        tensor<std::int64_t>(bytes, column.offsets_offset, ragged ? layout.rows + 1 : 0);
    const auto scales =
        tensor<float>(bytes, column.scale_offset, column.scaled() ? column.vectors : 0);
    auto& crcs = checks.crcs.emplace_back(layout.rows);
    for (std::uint64_t row = 0; row < layout.rows; ++row) {
      const std::uint64_t from = ragged ? static_cast<std::uint64_t>(offsets[row]) : row;
      const std::uint64_t to = ragged ? static_cast<std::uint64_t>(offsets[row + 1]) : row + 1;
      if (from > to || to > column.vectors) continue;
      zoo::detail::RowParts parts;
      parts.key = &keys[row];
      parts.offsets = ragged ? &offsets[row] : nullptr;
      parts.scales = column.scaled() ? scales.data() + from : nullptr;
      parts.scale_bytes = column.scaled() ? (to - from) * 4 : 0;
      parts.values = bytes.data() + column.values_offset + from * column.vector_bytes;
      parts.value_bytes = (to - from) * column.vector_bytes;
      zoo::detail::row_crcs({&parts, 1}, {&crcs[row], 1});
    }
    std::memcpy(bytes.data() + column.crc_offset, crcs.data(), crcs.size() * 4);
  }
  const auto seal = zoo::detail::seal_of(layout, checks);
  std::memcpy(bytes.data() + layout.seal_offset, seal.data(), seal.size());
}

// Changes the header's text, and pads it again.
void edit_header(Bytes& bytes, Random& random) {
  const std::uint64_t end = head_bytes(bytes);
  if (end <= 8) return;
  std::vector<char> text(end - 8);
  std::memcpy(text.data(), bytes.data() + 8, text.size());
  while (!text.empty() && text.back() == ' ') text.pop_back();
  if (random() % 2 == 0) {  // another number in one place
    std::vector<std::size_t> digits;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] >= '0' && text[i] <= '9') digits.push_back(i);
    }
    if (!digits.empty()) {
      const std::size_t at = digits[below(random, digits.size())];
      const std::string number = std::to_string(odd_number(random));
      text.erase(text.begin() + static_cast<std::ptrdiff_t>(at));
      text.insert(text.begin() + static_cast<std::ptrdiff_t>(at), number.begin(), number.end());
    }
  } else {
    edit(text, 0, text.size(), random);
  }
  while ((text.size() + 8) % 64 != 0) text.push_back(' ');
  Bytes changed(8 + text.size());
  const std::uint64_t length = text.size();
  std::memcpy(changed.data(), &length, 8);
  std::memcpy(changed.data() + 8, text.data(), text.size());
  changed.insert(changed.end(), bytes.begin() + static_cast<std::ptrdiff_t>(end), bytes.end());
  bytes = std::move(changed);
}

// Another shape, with a header that is true for it.
void change_layout(Bytes& bytes, Random& random) {
  ShardLayout layout;
  if (!find_layout(bytes, layout)) return;
  std::uint64_t rows = layout.rows;
  if (random() % 2 == 0) rows = 1 + random() % 40;
  std::vector<SizedColumn> columns;
  for (const ColumnLayout& column : layout.columns)
    columns.push_back({column.spec, column.vectors});
  if (random() % 4 == 0) columns.push_back({{"n" + std::to_string(random() % 100)}, 0});
  SizedColumn& one = columns[below(random, columns.size())];
  one.spec.dtype = static_cast<zoo::DType>(random() % 4);
  one.spec.ragged = random() % 2 == 0;
  one.spec.dim = 1 + random() % 20;
  one.vectors = random() % 60;
  if (random() % 8 == 0) one.spec.dim = odd_number(random);
  if (random() % 8 == 0) one.vectors = odd_number(random);
  if (random() % 8 == 0) one.spec.name = std::string(1 + random() % 255, '"');
  if (random() % 8 == 0) columns.pop_back();
  for (SizedColumn& column : columns) {
    if (!column.spec.ragged) column.vectors = rows;
  }
  try {
    const ShardLayout planned = zoo::detail::plan_layout(rows, columns);
    Bytes changed(planned.head.size());
    std::memcpy(changed.data(), planned.head.data(), planned.head.size());
    changed.insert(changed.end(), bytes.begin() + static_cast<std::ptrdiff_t>(layout.head.size()),
                   bytes.end());
    if (planned.file_bytes <= kMostBytes) {
      const std::size_t had = changed.size();
      changed.resize(planned.file_bytes);
      for (std::size_t i = had; i < changed.size(); ++i)
        changed[i] = static_cast<std::byte>(random());
    }
    bytes = std::move(changed);
  } catch (const zoo::Error&) {  // no such shard can be
  }
}

}  // namespace

std::vector<Bytes> seeds() {
  return {shard_of({kPlain}, 1), shard_of({kRagged}, 9), shard_of({kScaled}, 5),
          shard_of({kPlain, kRagged, kScaled}, 12)};
}

Bytes mutate(Bytes bytes, Random& random) {
  const std::size_t changes = 1 + below(random, 3);
  for (std::size_t i = 0; i < changes; ++i) {
    switch (random() % 5) {
      case 0:
        edit(bytes, 0, bytes.size(), random);
        break;
      case 1:
        edit_header(bytes, random);
        break;
      case 2:
        change_layout(bytes, random);
        break;
      case 3:
        edit(bytes, head_bytes(bytes), bytes.size(), random);
        break;
      default:
        if (random() % 8 == 0) cut_or_grow(bytes, random);
        break;
    }
  }
  if (random() % 4 != 0) repair(bytes, random);
  return bytes;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  MemoryDisk disk;
  const std::string stem = MemoryVfs(disk).unique_stem();
  const auto bytes = std::as_bytes(std::span(data, size));
  disk.put(kFuzzFolder + "/" + stem + "a.safetensors", bytes);
  disk.put(kFuzzFolder + "/" + stem + "b.safetensors", bytes);
  const AllocationLimit limit(allocation_limit(size));
  (void)do_everything(disk, false);
  return 0;
}
