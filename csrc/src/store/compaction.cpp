// Compaction: small shards of the same columns become one.
#include <algorithm>
#include <utility>

#include "store/damage.hpp"
#include "store/row_index.hpp"
#include "store/store_impl.hpp"

namespace zoo {

// A merge under way. Of equal rows the first is kept, if both are among the inputs: a row is never
// left out because a shard outside holds it, which another process may be about to remove for the
// same reason.
struct Store::Impl::Merge {
  std::vector<ColumnSpec> specs;
  std::shared_ptr<Table> table;
  detail::RowIndex seen;
  std::vector<std::shared_ptr<const Shard>> inputs;
};

void Store::Impl::add_input(const Context& context, Merge& merge,
                            const std::shared_ptr<const Shard>& shard) const {
  const detail::ShardLayout& layout = shard->layout();
  struct Values {
    std::vector<std::byte> values;
    std::vector<std::int64_t> offsets;
    std::vector<float> scales;
  };
  std::vector<RowKey> keys(layout.rows);
  std::vector<Values> data(layout.columns.size());
  std::vector<ColumnRows> rows;
  for (std::size_t c = 0; c < layout.columns.size(); ++c) {
    const detail::ColumnLayout& column = layout.columns[c];
    Values& part = data[c];
    part.values.resize(column.vectors * column.vector_bytes);
    if (column.scaled()) part.scales.resize(column.vectors);
    if (column.spec.ragged) {
      part.offsets.resize(layout.rows + 1);
      shard->block_offsets(column, 0, part.offsets);
    }
    shard->read_block(context, column, 0, keys, {part.values, part.offsets, part.scales});
    rows.push_back({column.spec, part.values, part.offsets, part.scales});
  }
  std::vector<const ColumnRows*> columns;
  for (const ColumnRows& each : rows) columns.push_back(&each);
  std::vector<std::uint32_t> picked;
  for (std::uint32_t row = 0; row < keys.size(); ++row) {
    bool first = false;
    merge.seen.add(keys[row], {0, row}, first);
    if (first) picked.push_back(row);
  }
  merge.table->reserve(picked, columns);
  merge.table->append(keys, picked, columns);
  merge.inputs.push_back(shard);
}

void Store::Impl::finish(const Context& context, Merge& merge, CompactReport& report) {
  if (merge.inputs.size() > 1) {
    auto merged = std::make_shared<const Shard>(
        vfs_, folder_,
        detail::write_shard(context, vfs_, folder_, merge.table->keys(), merge.table->columns()),
        budget_);
    {
      const std::unique_lock lock(mutex_);
      catalogue_.add_shard(std::move(merged));
    }
    report.after += 1;
    report.before += merge.inputs.size();
    report.rows += merge.table->rows();
    for (const auto& input : merge.inputs) {
      try {
        vfs_.remove(input->path());
      } catch (const Error& error) {  // gone already, or to be merged once more
        if (error.kind() != ErrorKind::kIo) throw;
      }
    }
  }
  merge.inputs.clear();
  merge.table = std::make_shared<Table>(merge.specs);
  merge.seen = {};
}

CompactReport Store::Impl::compact(const Context& context) {
  const std::scoped_lock writing(writing_);
  disown_after_fork();
  check_writable();
  return merge(context);
}

std::size_t Store::Impl::small_shards() const {
  const std::shared_lock lock(mutex_);
  const auto shards = catalogue_.shards();
  return static_cast<std::size_t>(std::count_if(
      shards.begin(), shards.end(),
      [&](const auto& shard) { return shard->layout().file_bytes < options_.shard_bytes / 2; }));
}

CompactReport Store::Impl::merge(const Context& context) {
  look_again();
  std::vector<std::shared_ptr<const Shard>> shards;
  {
    const std::shared_lock lock(mutex_);
    shards = catalogue_.shards();
  }
  CompactReport report;
  std::vector<Merge> merges;
  for (const auto& shard : shards) {
    if (shard->layout().file_bytes >= options_.shard_bytes / 2) continue;
    std::vector<ColumnSpec> specs;
    for (const auto& column : shard->layout().columns) specs.push_back(column.spec);
    auto merge = std::find_if(merges.begin(), merges.end(),
                              [&](const Merge& known) { return known.specs == specs; });
    if (merge == merges.end()) {
      merges.push_back({specs, std::make_shared<Table>(specs), {}, {}});
      merge = merges.end() - 1;
    }
    try {
      add_input(context, *merge, shard);
    } catch (const detail::ShardDamage&) {  // for verify() and the user
    } catch (const Error& error) {          // merged by another meanwhile
      if (error.kind() != ErrorKind::kIo || !is_not_found(error.os_code())) throw;
    }
    if (merge->table->bytes() >= options_.shard_bytes) finish(context, *merge, report);
  }
  for (Merge& merge : merges) finish(context, merge, report);
  look_again();
  return report;
}

}  // namespace zoo
