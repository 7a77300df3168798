#include "store/catalogue.hpp"

#include <algorithm>
#include <utility>

#include "store/damage.hpp"
#include "zoo/error.hpp"

namespace zoo::detail {

std::string quoted(std::string_view column) { return "column '" + std::string(column) + "'"; }

std::string describe(const ColumnSpec& spec) {
  return std::string(spec.ragged ? "ragged " : "") + std::string(dtype_name(spec.dtype)) + " x " +
         std::to_string(spec.dim);
}

std::vector<std::string> Catalogue::list(Vfs& vfs, const std::string& folder) {
  constexpr int kTries = 100;
  std::vector<std::string> before = vfs.list(folder);
  for (int i = 0;; ++i) {
    std::vector<std::string> now = vfs.list(folder);
    const bool gone = !std::includes(now.begin(), now.end(), before.begin(), before.end());
    if (!gone || i == kTries) return now;
    before = std::move(now);
  }
}

bool Catalogue::update(const std::vector<std::string>& names, std::uint64_t listed) {
  std::set<std::string_view> present;
  for (const std::string& name : names) {
    if (is_shard_name(name)) present.insert(name);
  }
  std::set<std::string_view> gone;
  for (const auto& [name, number] : numbers_) {
    if (!present.contains(name) && sources_[number].since <= listed) gone.insert(name);
  }
  if (!gone.empty()) forget(gone);
  std::erase_if(damaged_, [&](const auto& known) { return !present.contains(known.first); });
  bool all = true;
  for (const std::string_view name : present) {
    if (!numbers_.contains(name) && !damaged_.contains(name)) all &= load(std::string(name));
  }
  return all;
}

bool Catalogue::load(const std::string& name) {
  try {
    register_shard(std::make_shared<const Shard>(vfs_, folder_, name, budget_));
    ++found_;
  } catch (const ShardDamage& damage) {
    damaged_[name] = damage.why();
  } catch (const Error& error) {
    // Removed since it was listed: not damage. Any other refusal of the system may pass, so it must
    // not make rows look absent.
    if (!is_not_found(error.os_code())) throw;
    return false;
  }
  return true;
}

void Catalogue::register_shard(std::shared_ptr<const Shard> shard) {
  for (const ColumnLayout& each : shard->layout().columns) {
    const Column* known = find(each.spec.name);
    if (known != nullptr && known->spec != each.spec) {
      throw ShardDamage(shard->path(), quoted(each.spec.name) + " is " + describe(each.spec) +
                                           " in it and " + describe(known->spec) + " before it");
    }
  }
  const auto number = static_cast<std::uint32_t>(sources_.size());
  sources_.push_back({shard, nullptr, ++now_});
  numbers_[shard->name()] = number;
  for (const ColumnLayout& each : shard->layout().columns) {
    Column& found = column(each.spec);
    const auto place =
        std::upper_bound(found.pending.begin(), found.pending.end(), number,
                         [&](std::uint32_t a, std::uint32_t b) { return wins(a, b); });
    found.pending.insert(place, number);
    found.pending_rows += shard->layout().rows;
  }
}

void Catalogue::add_shard(std::shared_ptr<const Shard> shard) { register_shard(std::move(shard)); }

// Starts the columns anew from what is still there: where a removed shard held a row, another may.
void Catalogue::forget(const std::set<std::string_view>& gone) {
  columns_.clear();
  std::vector<std::shared_ptr<const Shard>> kept;
  for (const auto& [name, number] : numbers_) {
    if (!gone.contains(name)) kept.push_back(sources_[number].shard);
    sources_[number].shard.reset();
  }
  numbers_.clear();
  for (std::uint32_t number = 0; number < sources_.size(); ++number) {
    if (sources_[number].table) index_table(number, 0);
  }
  for (auto& shard : kept) {
    try {
      register_shard(shard);
    } catch (const ShardDamage& damage) {
      damaged_[shard->name()] = damage.why();
    }
  }
}

std::uint32_t Catalogue::add_table(std::shared_ptr<Table> table) {
  sources_.push_back({nullptr, std::move(table), 0});
  const auto number = static_cast<std::uint32_t>(sources_.size() - 1);
  index_table(number, 0);
  return number;
}

void Catalogue::reserve_table(std::uint32_t source, std::size_t rows) {
  for (const ColumnSpec& spec : sources_[source].table->specs()) column(spec).index.reserve(rows);
}

void Catalogue::index_table(std::uint32_t source, std::size_t first) {
  const Table& table = *sources_[source].table;
  for (const ColumnSpec& spec : table.specs()) {
    index_rows(column(spec), table.keys(), source, first);
  }
}

void Catalogue::seal_table(std::uint32_t source, std::shared_ptr<const Shard> shard) {
  numbers_[shard->name()] = source;
  sources_[source] = {std::move(shard), nullptr, ++now_};
}

Column& Catalogue::column(const ColumnSpec& spec) {
  return columns_.try_emplace(spec.name, spec).first->second;
}

const Column* Catalogue::find(std::string_view name) const {
  const auto found = columns_.find(name);
  return found == columns_.end() ? nullptr : &found->second;
}

bool Catalogue::wants_index(const Column& column, std::size_t lookups) {
  constexpr std::uint64_t kSearchCost = 128;  // a search in a shard costs as much as so many rows
  if (column.pending.empty()) return false;
  const std::uint64_t more = lookups * column.pending.size();
  const std::uint64_t searches = column.searches.fetch_add(more, std::memory_order_relaxed) + more;
  return searches * kSearchCost >= column.pending_rows;
}

void Catalogue::index(std::string_view name) {
  const auto found = columns_.find(name);
  if (found == columns_.end()) return;
  Column& column = found->second;
  column.index.reserve(column.pending_rows);
  while (!column.pending.empty()) {
    const std::uint32_t number = column.pending.back();
    const std::vector<RowKey> keys = sources_[number].shard->read_keys();
    index_rows(column, keys, number, 0);
    column.pending.pop_back();
    column.pending_rows -= keys.size();
  }
  column.searches = 0;
}

void Catalogue::index_all() {
  for (const auto& [name, column] : columns_) index(name);
}

// The lower shard name wins; rows in memory lose against any shard.
bool Catalogue::wins(std::uint32_t challenger, std::uint32_t holder) const {
  const auto& mine = sources_[challenger].shard;
  const auto& theirs = sources_[holder].shard;
  if (!mine) return false;
  return !theirs || mine->name() < theirs->name();
}

void Catalogue::index_rows(Column& column, std::span<const RowKey> keys, std::uint32_t number,
                           std::size_t first) {
  column.index.reserve(keys.size() - first);
  for (std::size_t row = first; row < keys.size(); ++row) {
    constexpr std::size_t kAhead = 16;
    if (row + kAhead < keys.size()) column.index.prefetch(keys[row + kAhead]);
    const RowPlace place{number, static_cast<std::uint32_t>(row)};
    bool added = false;
    RowPlace& held = column.index.add(keys[row], place, added);
    if (!added && held.source != number && wins(number, held.source)) held = place;
  }
}

std::optional<RowPlace> Catalogue::place(const Column& column, const RowKey& key) const {
  std::optional<RowPlace> best;
  if (const RowPlace* indexed = column.index.find(key)) best = *indexed;
  for (const std::uint32_t number : column.pending) {
    if (best && !wins(number, best->source)) continue;
    const std::optional<std::uint32_t> row = sources_[number].shard->search(key);
    if (row) best = RowPlace{number, *row};
  }
  return best;
}

std::vector<std::uint32_t> Catalogue::sources_of(std::string_view name) const {
  std::vector<std::uint32_t> numbers;
  for (const auto& [shard, number] : numbers_) {
    if (sources_[number].shard->layout().find(name) != nullptr) numbers.push_back(number);
  }
  for (std::uint32_t number = 0; number < sources_.size(); ++number) {
    const auto& table = sources_[number].table;
    if (table && table->column(name) < table->specs().size()) numbers.push_back(number);
  }
  return numbers;
}

std::vector<std::shared_ptr<const Shard>> Catalogue::shards() const {
  std::vector<std::shared_ptr<const Shard>> out;
  for (const auto& [name, number] : numbers_) out.push_back(sources_[number].shard);
  return out;
}

std::vector<Damage> Catalogue::damaged() const {
  std::vector<Damage> out;
  for (const auto& [name, why] : damaged_) out.push_back({name, why});
  return out;
}

void Catalogue::close_files() const {
  for (const auto& [name, number] : numbers_) sources_[number].shard->close_file();
}

}  // namespace zoo::detail
