// From a row's key to the source (a shard, or rows in memory) and the row in it: open addressing,
// one flat array.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "zoo/store.hpp"

namespace zoo::detail {

struct RowPlace {
  std::uint32_t source = 0;
  std::uint32_t row = 0;
};

class RowIndex {
 public:
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  // Null where the key is absent. The pointer is good until the next add.
  [[nodiscard]] const RowPlace* find(const RowKey& key) const noexcept;
  // The key's place, made with `place` where it was absent; `added` says which.
  RowPlace& add(const RowKey& key, RowPlace place, bool& added);
  // Brings a key's slot into the cache, for a find or an add to come.
  void prefetch(const RowKey& key) const noexcept;
  // Makes room, so that the next `rows` adds never fail for want of memory.
  void reserve(std::size_t rows);

 private:
  static constexpr std::uint32_t kFree = std::numeric_limits<std::uint32_t>::max();

  struct Slot {
    RowKey key;
    RowPlace place{0, kFree};  // no shard has that many rows
  };

  [[nodiscard]] std::size_t slot_of(const RowKey& key) const noexcept;

  std::vector<Slot> slots_;  // a power of two, at most 3/4 full
  std::size_t size_ = 0;
};

}  // namespace zoo::detail
