// A shard's columns in memory: when to keep one, and rows from it.
#include <algorithm>
#include <cstring>

#include "store/damage.hpp"
#include "store/shard.hpp"
#include "store/table.hpp"

namespace zoo::detail {

// As read_values and compare do, from memory. The key is compared itself: it was part of the
// checksum, and the caller's may come from a file that was altered since.
void Shard::copy_rows(const Resident& from, const ColumnLayout& column,
                      std::span<const std::int64_t> offsets, std::span<const WantedRow> wanted,
                      std::span<const RowKey> keys, const RowBuffers& out) const {
  const std::size_t size = column.vector_bytes;
  const bool ragged = column.spec.ragged;
  for (const WantedRow& each : wanted) {
    if (from.keys()[each.row] != keys[each.to]) {
      throw ShardDamage(path_, "row " + std::to_string(each.row) + " has another key");
    }
    const VectorRange mine = vectors_of(offsets, ragged, each.row);
    const VectorRange place = vectors_of(out.offsets, ragged, each.to);
    if (mine.size() == 0) continue;
    std::memcpy(out.values.data() + place.from * size, from.values().data() + mine.from * size,
                mine.size() * size);
    if (column.scaled()) {
      std::memcpy(out.scales.data() + place.from, from.scales().data() + mine.from,
                  mine.size() * kScaleBytes);
    }
  }
}

// Keeping a column costs one read of all of it: worth it once an eighth was read.
std::shared_ptr<const Resident> Shard::resident(const Context& context, const ColumnLayout& column,
                                                std::size_t more_rows) const {
  if (!budget_) return nullptr;
  const std::size_t c = number(column);
  {
    const std::scoped_lock lock(mutex_);
    if (residents_[c]) return residents_[c];
    rows_read_[c] += more_rows;
    if (rows_read_[c] < layout_.rows / 8) return nullptr;
    rows_read_[c] = 0;  // whoever comes meanwhile reads from the file
  }
  const std::size_t bytes = column.vectors * column.vector_bytes;
  const std::size_t scales = column.scaled() ? column.vectors : 0;
  const std::uint64_t taken = bytes + scales * kScaleBytes + layout_.rows * kKeyBytes;
  if (!budget_->take(taken)) return nullptr;
  std::shared_ptr<Resident> loaded;
  try {
    loaded = std::make_shared<Resident>(budget_, taken, read_keys(), bytes, scales);
  } catch (...) {
    budget_->give_back(taken);
    throw;
  }
  const std::shared_ptr<const File> opened = file();
  const std::shared_ptr<const Checks> known = checks(*opened);
  const std::span<const RowKey> keys = loaded->keys();
  std::vector<WantedRow> all(keys.size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = {static_cast<std::uint32_t>(i), i};
  const RowBuffers out{loaded->values(), known->offsets[c], loaded->scales()};
  constexpr std::size_t kStep = 256;
  for (std::size_t first = 0; first < all.size(); first += kStep) {
    context.check();
    const auto some = std::span(all).subspan(first, std::min(kStep, all.size() - first));
    read_values(*opened, column, *known, some, out);
    compare(column, *known, some, keys, out);
  }
  const std::scoped_lock lock(mutex_);
  residents_[c] = loaded;
  return loaded;
}

}  // namespace zoo::detail
