// Verifying a shard: every byte of it, whether anybody asks for it or not.
#include <algorithm>

#include "store/damage.hpp"
#include "store/shard.hpp"
#include "store/table.hpp"

namespace zoo::detail {

void Shard::verify_order(const File& file) const {
  std::vector<RowKey> keys(layout_.rows);
  read_exactly(file, layout_.key_offset, std::as_writable_bytes(std::span(keys)));
  std::vector<std::uint32_t> order(layout_.rows);
  read_exactly(file, layout_.order_offset, std::as_writable_bytes(std::span(order)));
  for (std::size_t i = 0; i < order.size(); ++i) {
    // Ascending without equals, and as many as rows: so each row is named once.
    if (order[i] >= layout_.rows || (i > 0 && !(keys[order[i - 1]] < keys[order[i]]))) {
      throw ShardDamage(path_, "its order is wrong at place " + std::to_string(i));
    }
  }
}

void Shard::verify(const Context& context) const {
  const std::shared_ptr<const File> opened = file();
  const Checks known = read_checks(*opened);
  for (const auto& [offset, size] : layout_.padding) {
    std::vector<std::byte> bytes(size);
    read_exactly(*opened, offset, bytes);
    if (std::any_of(bytes.begin(), bytes.end(), [](std::byte b) { return b != std::byte{0}; })) {
      throw ShardDamage(path_, "its padding at byte " + std::to_string(offset) + " is not zero");
    }
  }
  verify_order(*opened);
  std::vector<RowKey> keys;
  std::vector<WantedRow> wanted;
  std::vector<std::byte> values;
  std::vector<float> scales;
  std::vector<std::int64_t> places;
  for (const ColumnLayout& column : layout_.columns) {
    const auto& offsets = known.offsets[number(column)];
    for (std::uint64_t first = 0; first < layout_.rows;) {
      context.check();
      std::uint64_t end = first + 1;
      const auto bytes_to = [&](std::uint64_t last) {
        return (vectors_of(offsets, column.spec.ragged, last).to -
                vectors_of(offsets, column.spec.ragged, first).from) *
               column.vector_bytes;
      };
      while (end < layout_.rows && bytes_to(end) <= kTaskBytes) ++end;
      const std::size_t vectors = bytes_to(end - 1) / column.vector_bytes;
      keys.resize(end - first);
      read_exactly(*opened, layout_.key_offset + first * kKeyBytes,
                   std::as_writable_bytes(std::span(keys)));
      wanted.resize(end - first);
      places.resize(column.spec.ragged ? end - first + 1 : 0);
      for (std::size_t i = 0; i < wanted.size(); ++i) {
        wanted[i] = {static_cast<std::uint32_t>(first + i), i};
      }
      for (std::size_t i = 0; i < places.size(); ++i) {
        places[i] = offsets[first + i] - offsets[first];
      }
      values.resize(vectors * column.vector_bytes);
      if (column.scaled()) scales.resize(vectors);
      const RowBuffers out{values, places, scales};
      read_values(*opened, column, known, wanted, out);
      compare(column, known, wanted, keys, out);
      first = end;
    }
  }
}

}  // namespace zoo::detail
