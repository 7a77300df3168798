// Taking over the journals of writers that are dead, or that look so.
#include <algorithm>
#include <utility>

#include "store/row_index.hpp"
#include "store/store_impl.hpp"

namespace zoo {

// What one journal held, by columns; keys are distinct in a table, as in a shard.
class Store::Impl::Salvage {
 public:
  struct Part {
    std::shared_ptr<Table> table;
    detail::RowIndex seen;
  };

  void add(std::span<const RowKey> keys, std::span<const std::uint32_t> rows,
           std::span<const ColumnRows* const> columns) {
    std::vector<ColumnSpec> specs;
    for (const ColumnRows* each : columns) specs.push_back(each->spec);
    auto part = std::find_if(parts_.begin(), parts_.end(),
                             [&](const Part& known) { return known.table->specs() == specs; });
    if (part == parts_.end()) {
      parts_.push_back({std::make_shared<Table>(specs), {}});
      part = parts_.end() - 1;
    }
    std::vector<std::uint32_t> picked;
    for (const std::uint32_t row : rows) {
      bool first = false;
      part->seen.add(keys[row], {0, row}, first);
      if (first) picked.push_back(row);
    }
    part->table->reserve(picked, columns);
    part->table->append(keys, picked, columns);
  }

  // Whether it has one of these columns in another shape.
  [[nodiscard]] bool conflicts(std::span<const ColumnRows> columns) const {
    for (const Part& part : parts_) {
      for (const ColumnSpec& spec : part.table->specs()) {
        for (const ColumnRows& each : columns) {
          if (each.spec.name == spec.name && each.spec != spec) return true;
        }
      }
    }
    return false;
  }

  [[nodiscard]] const std::vector<Part>& parts() const noexcept { return parts_; }

 private:
  std::vector<Part> parts_;
};

void Store::Impl::recover(const std::vector<std::string>& names) {
  for (Orphan& orphan : orphans_) settle(orphan);
  std::erase_if(orphans_, [](const Orphan& orphan) { return orphan.tables.empty(); });
  std::set<std::string> known;
  for (const auto& journal : generation_.journals) known.insert(journal->name());
  for (const auto& journal : sealing_journals_) known.insert(journal->name());
  for (const Orphan& orphan : orphans_) known.insert(orphan.name);
  for (const std::string& name : names) {
    if (detail::is_journal_name(name) && !known.contains(name)) recover(name);
  }
}

void Store::Impl::recover(const std::string& name) {
  Orphan orphan;
  orphan.name = name;
  orphan.removable = !options_.read_only;
  try {
    orphan.file = vfs_.open_read(folder_ + "/" + name);
    if (!orphan.file->lock()) return;  // its writer lives, or another is at it
    // The new name tells a writer that lives after all, where locks do nothing: from now on
    // nothing that it writes there counts as committed, and what counted is there to be read.
    if (orphan.removable && name.ends_with(detail::kJournalSuffix)) {
      const std::string stem = name.substr(0, name.size() - detail::kJournalSuffix.size());
      vfs_.rename(folder_ + "/" + name, folder_ + "/" + stem + std::string(detail::kRecoverSuffix));
      orphan.name = stem + std::string(detail::kRecoverSuffix);
    }
  } catch (const Error& error) {
    if (is_not_found(error.os_code())) return;  // another was faster
    if (!is_unwritable(error.os_code())) throw;
    if (!orphan.file) return;  // another user's, and not to be read
    orphan.removable = false;
  }
  Salvage salvage;
  detail::read_journal(*orphan.file, name,
                       [&](std::span<const RowKey> keys, std::span<const ColumnRows> columns) {
                         // As a shard would be refused; the rows stay where they are.
                         if (!conflict(columns).empty() || salvage.conflicts(columns)) {
                           orphan.refused = true;
                           return;
                         }
                         // Rows in memory don't count as there: they may never become a shard.
                         for (const auto& [mask, rows] : missing_rows(keys, columns, true)) {
                           salvage.add(keys, rows, detail::picked_columns(columns, mask));
                         }
                       });
  {
    const std::unique_lock lock(mutex_);
    for (const auto& part : salvage.parts()) {
      orphan.tables.push_back({catalogue_.add_table(part.table), part.table});
    }
  }
  if (!orphan.removable) orphan.file.reset();  // and its lock: another may take it over
  settle(orphan);
  if (!orphan.tables.empty()) orphans_.push_back(std::move(orphan));
}

void Store::Impl::seal_rows(Orphan& orphan) {
  while (!orphan.tables.empty()) {
    const OpenTable& open = orphan.tables.back();
    if (open.table->rows() > 0) {
      settle_table(open, detail::write_shard(Context{}, vfs_, folder_, open.table->keys(),
                                             open.table->columns()));
    }
    orphan.tables.pop_back();
  }
}

// Makes shards of a dead writer's rows and removes its journal. Where that can't be, the rows stay
// in memory and the journal where it is, and the next refresh or flush tries again.
void Store::Impl::settle(Orphan& orphan) {
  if (!orphan.removable) return;
  try {
    seal_rows(orphan);
    if (!orphan.refused) vfs_.remove(folder_ + "/" + orphan.name);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kIo) throw;
  }
}

}  // namespace zoo
