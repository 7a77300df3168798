#include "store/row_index.hpp"

#include <cstring>
#include <utility>

namespace zoo::detail {
namespace {

// Digests need no hashing; mixing serves keys that a caller made by counting.
std::uint64_t mix(const RowKey& key) noexcept {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  std::memcpy(&low, key.bytes.data(), 8);
  std::memcpy(&high, key.bytes.data() + 8, 8);
  std::uint64_t x = low ^ (high * 0x9E3779B97F4A7C15u);
  x = (x ^ (x >> 32)) * 0xD6E8FEB86659FD93u;
  return x ^ (x >> 32);
}

}  // namespace

std::size_t RowIndex::slot_of(const RowKey& key) const noexcept {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = static_cast<std::size_t>(mix(key)) & mask;
  while (slots_[at].place.row != kFree && slots_[at].key != key) at = (at + 1) & mask;
  return at;
}

const RowPlace* RowIndex::find(const RowKey& key) const noexcept {
  if (slots_.empty()) return nullptr;
  const Slot& slot = slots_[slot_of(key)];
  return slot.place.row == kFree ? nullptr : &slot.place;
}

void RowIndex::prefetch(const RowKey& key) const noexcept {
#if defined(__GNUC__)
  if (!slots_.empty()) __builtin_prefetch(&slots_[mix(key) & (slots_.size() - 1)]);
#else
  (void)key;
#endif
}

RowPlace& RowIndex::add(const RowKey& key, RowPlace place, bool& added) {
  reserve(1);
  Slot& slot = slots_[slot_of(key)];
  added = slot.place.row == kFree;
  if (added) {
    slot = {key, place};
    ++size_;
  }
  return slot.place;
}

void RowIndex::reserve(std::size_t rows) {
  std::size_t wanted = slots_.empty() ? 16 : slots_.size();
  while (wanted / 4 * 3 < size_ + rows) wanted *= 2;
  if (wanted == slots_.size()) return;
  std::vector<Slot> old(wanted);
  old.swap(slots_);
  for (const Slot& slot : old) {
    if (slot.place.row != kFree) slots_[slot_of(slot.key)] = slot;
  }
}

}  // namespace zoo::detail
