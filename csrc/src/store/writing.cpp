// Appending: rows go to a journal, then to tables in memory, and from there to shards.
#include <algorithm>
#include <utility>

#include "store/damage.hpp"
#include "store/row_index.hpp"
#include "store/store_impl.hpp"

namespace zoo {

using detail::Column;
using detail::RowPlace;

namespace {

constexpr std::uint64_t kBatchBytes = std::uint64_t{4} << 20;  // of an append, committed at once

std::uint64_t row_bytes(const ColumnRows& given, std::uint32_t row) {
  const auto range = detail::vectors_of(given.offsets, given.spec.ragged, row);
  return range.size() * given.spec.dim * dtype_size(given.spec.dtype);
}

std::vector<ColumnSpec> specs_of(std::span<const ColumnRows* const> columns) {
  std::vector<ColumnSpec> specs;
  for (const ColumnRows* each : columns) specs.push_back(each->spec);
  return specs;
}

// The picked rows where they lie, if they lie side by side and no offsets must be counted anew: the
// common case, and a copy less. Else nothing.
std::vector<ColumnRows> neighbours_of(std::span<const std::uint32_t> picked,
                                      std::span<const ColumnRows* const> columns) {
  std::vector<ColumnRows> rows;
  if (picked.back() - picked.front() + 1 != picked.size()) return rows;
  for (const ColumnRows* each : columns) {
    if (each->spec.ragged) return {};
    const std::size_t bytes = each->spec.dim * dtype_size(each->spec.dtype);
    ColumnRows part{each->spec,
                    each->values.subspan(picked.front() * bytes, picked.size() * bytes)};
    if (!each->scales.empty()) part.scales = each->scales.subspan(picked.front(), picked.size());
    rows.push_back(std::move(part));
  }
  return rows;
}

}  // namespace

std::vector<const ColumnRows*> detail::picked_columns(std::span<const ColumnRows> given,
                                                      std::uint64_t mask) {
  std::vector<const ColumnRows*> columns;
  for (std::size_t c = 0; c < given.size(); ++c) {
    if ((mask >> c & 1u) != 0) columns.push_back(&given[c]);
  }
  return columns;
}

std::uint64_t Store::Impl::Generation::bytes() const {
  std::uint64_t total = 0;
  for (const OpenTable& open : tables) total += open.table->bytes();
  return total;
}

bool Store::Impl::Generation::empty() const {
  return std::all_of(tables.begin(), tables.end(),
                     [](const OpenTable& open) { return open.table->rows() == 0; });
}

void Store::Impl::check_writable() const {
  if (closed_) throw Error(ErrorKind::kInvalid, "the store is closed");
  if (options_.read_only) throw Error(ErrorKind::kInvalid, "the store was opened to be read only");
}

// What a fork's child inherits is its parent's to seal, and the journals are its parent's to write
// and to remove. The rows stay readable here; where this process appends rows too, its flush seals
// the inherited as well, for it skipped them.
void Store::Impl::disown_after_fork() {
  if (vfs_.process_id() == process_) return;
  for (Orphan& orphan : orphans_) {
    orphan.file.reset();
    orphan.removable = false;
  }
  Orphan inherited;
  inherited.removable = false;
  for (Sealing& each : sealing_) {
    if (each.write) each.write->abandon();
    inherited.tables.push_back(std::move(each.open));
  }
  for (OpenTable& open : generation_.tables) inherited.tables.push_back(std::move(open));
  orphans_.push_back(std::move(inherited));
  sealing_.clear();
  sealing_journals_.clear();
  generation_ = {};
  appended_ = false;
  process_ = vfs_.process_id();
}

void Store::Impl::check_append(std::span<const RowKey> keys,
                               std::span<const ColumnRows> given) const {
  std::vector<ColumnSpec> specs;
  for (const ColumnRows& each : given) specs.push_back(each.spec);
  std::string problem = detail::column_problem(specs);
  if (given.size() > detail::kMaxColumns) problem = "an append has at most 64 columns";
  for (const ColumnRows& each : given) {
    if (problem.empty()) problem = detail::rows_problem(each, keys.size());
  }
  if (problem.empty()) problem = conflict(given);
  if (!problem.empty()) throw Error(ErrorKind::kInvalid, problem);
}

// Why these columns are not those that the store has under their names, or nothing.
std::string Store::Impl::conflict(std::span<const ColumnRows> given) const {
  const std::shared_lock lock(mutex_);
  for (const ColumnRows& each : given) {
    const Column* known = catalogue_.find(each.spec.name);
    if (known != nullptr && known->spec != each.spec) {
      return detail::quoted(each.spec.name) + " holds " + detail::describe(known->spec) + ", not " +
             detail::describe(each.spec);
    }
  }
  return "";
}

std::map<std::uint64_t, std::vector<std::uint32_t>> Store::Impl::missing_rows(
    std::span<const RowKey> keys, std::span<const ColumnRows> given, bool sealed) const {
  std::vector<std::uint64_t> lacking(keys.size(), 0);
  for (std::size_t c = 0; c < given.size(); ++c) {
    const std::uint64_t bit = std::uint64_t{1} << c;
    robust([&](const std::string&) {
      prepare(given[c].spec.name, keys.size());
      const std::shared_lock lock(mutex_);
      const Column* column = catalogue_.find(given[c].spec.name);
      for (std::size_t i = 0; i < keys.size(); ++i) {
        const auto place = column != nullptr ? catalogue_.place(*column, keys[i]) : std::nullopt;
        const bool has = place && (!sealed || catalogue_.source(place->source).shard != nullptr);
        lacking[i] = has ? lacking[i] & ~bit : lacking[i] | bit;
      }
    });
  }
  std::map<std::uint64_t, std::vector<std::uint32_t>> groups;
  detail::RowIndex seen;
  seen.reserve(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    bool first = false;
    seen.add(keys[i], {0, static_cast<std::uint32_t>(i)}, first);
    if (first && lacking[i] != 0) groups[lacking[i]].push_back(static_cast<std::uint32_t>(i));
  }
  return groups;
}

std::size_t Store::Impl::append(const Context& context, std::span<const RowKey> keys,
                                std::span<const ColumnRows> given) {
  const std::scoped_lock writing(writing_);
  disown_after_fork();
  check_writable();
  check_append(keys, given);
  if (keys.size() > detail::kMaxRows) throw Error(ErrorKind::kInvalid, "too many rows at once");
  if (keys.empty()) return 0;  // makes no column, so fixes no dtype
  if (is_due()) finish_seal(context);
  if (is_full()) begin_seal(context);  // what an earlier append could not seal
  if (is_old()) seal(context);
  std::size_t taken = 0;
  for (const auto& [mask, rows] : missing_rows(keys, given, false)) {
    const std::vector<const ColumnRows*> columns = detail::picked_columns(given, mask);
    std::span<const std::uint32_t> rest = rows;
    while (!rest.empty()) {
      context.check();
      const std::uint64_t room = std::min(
          kBatchBytes, options_.shard_bytes - std::min(options_.shard_bytes, generation_.bytes()));
      std::uint64_t bytes = 0;
      std::size_t count = 0;
      while (count < rest.size() && (count == 0 || bytes < room)) {
        for (const ColumnRows* each : columns) bytes += row_bytes(*each, rest[count]);
        bytes += detail::kKeyBytes;
        ++count;
      }
      take(context, keys, rest.first(count), columns);
      rest = rest.subspan(count);
      taken += count * columns.size();
      if (is_due()) finish_seal(context);
      if (is_full()) begin_seal(context);
      if (rest.empty() && is_old()) seal(context);
    }
  }
  appended_ = true;  // and what it found there already, a flush answers for, too
  return taken;
}

// Commits rows and puts them where this store finds them.
void Store::Impl::take(const Context& context, std::span<const RowKey> keys,
                       std::span<const std::uint32_t> picked,
                       std::span<const ColumnRows* const> columns) {
  context.check();
  const OpenTable open = open_table(columns);
  {
    // Room first, then what no longer fails: journal, table and index stay in step.
    const std::unique_lock lock(mutex_);
    open.table->reserve(picked, columns);
    catalogue_.reserve_table(open.source, picked.size());
  }
  const std::vector<ColumnRows> neighbours = neighbours_of(picked, columns);
  if (neighbours.empty()) {
    Table batch(specs_of(columns));
    batch.append(keys, picked, columns);
    commit(batch.keys(), batch.columns());
  } else {
    commit(keys.subspan(picked.front(), picked.size()), neighbours);
  }
  if (generation_.empty()) generation_.since_ns = vfs_.monotonic_ns();
  const std::unique_lock lock(mutex_);
  const std::size_t first = open.table->rows();
  open.table->append(keys, picked, columns);
  catalogue_.index_table(open.source, first);
}

void Store::Impl::commit(std::span<const RowKey> keys, std::span<const ColumnRows> columns) {
  constexpr int kTries = 4;
  Generation& now = generation_;
  for (int attempt = 0; attempt < kTries; ++attempt) {
    bool ours = true;
    if (!now.writable) {
      now.journals.push_back(std::make_unique<Journal>(vfs_, folder_));
      now.writable = true;
    }
    Journal& journal = *now.journals.back();
    try {
      // After a journal was taken over: what it held may be sealed by the other, or may not.
      if (attempt > 0) {
        for (const OpenTable& open : now.tables) {
          if (open.table->rows() == 0) continue;
          ours = ours && journal.write(open.table->keys(), open.table->columns());
        }
      }
      ours = ours && journal.write(keys, columns);
    } catch (...) {
      now.writable = false;  // it may end in half a batch, behind which nothing would be found
      throw;
    }
    if (ours) return;
    now.writable = false;
  }
  // Others take every journal away before it can be looked at: locks do nothing here. A shard is
  // nobody's to take, and more than committed.
  auto shard = std::make_shared<const Shard>(
      vfs_, folder_, detail::write_shard(Context{}, vfs_, folder_, keys, columns), budget_);
  const std::unique_lock lock(mutex_);
  catalogue_.add_shard(std::move(shard));
}

Store::Impl::OpenTable Store::Impl::open_table(std::span<const ColumnRows* const> columns) {
  const std::vector<ColumnSpec> specs = specs_of(columns);
  for (const OpenTable& open : generation_.tables) {
    if (open.table->specs() == specs) return open;
  }
  const auto spare = std::find_if(spare_.begin(), spare_.end(),
                                  [&](const auto& table) { return table->specs() == specs; });
  std::shared_ptr<Table> table;
  if (spare != spare_.end()) {
    table = std::move(*spare);
    spare_.erase(spare);
  } else {
    table = std::make_shared<Table>(specs);
  }
  const std::unique_lock lock(mutex_);
  generation_.tables.push_back({catalogue_.add_table(table), table});
  return generation_.tables.back();
}

bool Store::Impl::is_full() const {
  if (generation_.empty()) return false;
  if (generation_.bytes() >= options_.shard_bytes) return true;
  return std::any_of(
      generation_.tables.begin(), generation_.tables.end(),
      [](const OpenTable& open) { return open.table->rows() >= detail::kMaxRows / 2; });
}

bool Store::Impl::is_old() const {
  return !generation_.empty() && vfs_.monotonic_ns() - generation_.since_ns >= options_.seal_ns;
}

// Whether to make durable what begin_seal() wrote: some rows later, when the disk has had time for
// it; but small shards are not worth the wait, and nothing waits long.
bool Store::Impl::is_due() const {
  constexpr std::uint64_t kSmall = std::uint64_t{1} << 20;
  constexpr std::uint64_t kLongNs = 1'000'000'000;
  if (sealing_.empty()) return false;
  std::uint64_t bytes = 0;
  for (const Sealing& each : sealing_) bytes += each.open.table->bytes();
  return bytes < kSmall || generation_.bytes() >= options_.shard_bytes / 2 ||
         vfs_.monotonic_ns() - sealing_since_ns_ >= kLongNs;
}

// Hands over all tables with their journals, and writes their shards.
void Store::Impl::begin_seal(const Context& context) {
  finish_seal(context);
  for (OpenTable& open : generation_.tables) {
    if (open.table->rows() > 0) sealing_.push_back({std::move(open), nullptr});
  }
  sealing_journals_ = std::move(generation_.journals);
  generation_ = {};
  sealing_since_ns_ = vfs_.monotonic_ns();
  for (Sealing& each : sealing_) {
    const Table& table = *each.open.table;
    each.write =
        std::make_unique<detail::ShardWrite>(context, vfs_, folder_, table.keys(), table.columns());
  }
  if (is_due()) finish_seal(context);
}

// Makes them durable, and only then drops the journals.
void Store::Impl::finish_seal(const Context& context) {
  while (!sealing_.empty()) {
    Sealing& last = sealing_.back();
    const std::unique_ptr<detail::ShardWrite> write =
        last.write
            ? std::move(last.write)
            : std::make_unique<detail::ShardWrite>(context, vfs_, folder_, last.open.table->keys(),
                                                   last.open.table->columns());
    const std::uint64_t found = found_shards();
    settle_table(last.open, write->finish());
    certain_ = found;
    spare_.push_back(last.open.table);
    sealing_.pop_back();
  }
  for (const auto& journal : sealing_journals_) {
    try {
      journal->remove();
    } catch (const Error&) {  // whoever opens the store finds its rows in shards and removes it
    }
  }
  sealing_journals_.clear();
}

void Store::Impl::seal(const Context& context) {
  finish_seal(context);
  begin_seal(context);
  finish_seal(context);
  if (!appended_) return;
  // append() did not write again what it found: rows of a dead writer that could not be sealed when
  // they were recovered, and
  for (Orphan& orphan : orphans_) {
    seal_rows(orphan);
    settle(orphan);
  }
  orphans_.clear();
  // rows in shards whose writer may have died between the rename and the sync of the folder.
  const std::uint64_t found = found_shards();
  if (found == certain_) return;
  vfs_.sync_folder(folder_);
  certain_ = found;
}

std::uint64_t Store::Impl::found_shards() const {
  const std::shared_lock lock(mutex_);
  return catalogue_.found();
}

// The table's rows are that shard's from now on, and it is empty.
void Store::Impl::settle_table(const OpenTable& open, detail::WrittenShard written) {
  auto shard = std::make_shared<const Shard>(vfs_, folder_, std::move(written), budget_);
  const std::unique_lock lock(mutex_);
  catalogue_.seal_table(open.source, std::move(shard));
  open.table->clear();
}

void Store::Impl::flush(const Context& context) {
  const std::scoped_lock writing(writing_);
  disown_after_fork();
  seal(context);
}

void Store::Impl::close(const Context& context) {
  const std::scoped_lock writing(writing_);
  disown_after_fork();
  const bool wrote = appended_;
  seal(context);
  closed_ = true;
  spare_.clear();
  constexpr std::size_t kMany = 16;
  if (!wrote || small_shards() < kMany) return;
  try {
    merge(context);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kInterrupted) throw;
  }
}

}  // namespace zoo
