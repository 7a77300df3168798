// What a folder holds, as one process sees it: its shards, its rows in memory, and where each row
// is. It has no lock of its own: Store::Impl has.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/vfs.hpp"
#include "store/row_index.hpp"
#include "store/shard.hpp"
#include "store/table.hpp"
#include "zoo/store.hpp"

namespace zoo::detail {

// A shard, or rows in memory that become one. Rows keep their numbers when they do, so that places
// stay good. Neither, where a shard was removed.
struct Source {
  std::shared_ptr<const Shard> shard;
  std::shared_ptr<Table> table;
  std::uint64_t since = 0;  // Catalogue::now() when the shard became known
};

struct Column {
  ColumnSpec spec;
  RowIndex index;
  // Shards whose keys are not in the index yet, by name. Opening a store must not cost a look at
  // every key: few look-ups search these shards, many are worth the index.
  std::vector<std::uint32_t> pending;
  std::uint64_t pending_rows = 0;
  mutable std::atomic<std::uint64_t> searches{0};  // look-ups times shards, since the last index

  explicit Column(ColumnSpec given) : spec(std::move(given)) {}
  [[nodiscard]] std::size_t row_bytes() const { return spec.dim * dtype_size(spec.dtype); }
};

class Catalogue {
 public:
  Catalogue(Vfs& vfs, std::string folder, Shard::Budget budget)
      : vfs_(vfs), folder_(std::move(folder)), budget_(std::move(budget)) {}

  // The names in a folder. While a folder is listed, shards may be merged: a listing might have
  // missed the new one and come too late for the old ones. So it counts only once nothing that was
  // in the one before is gone.
  [[nodiscard]] static std::vector<std::string> list(Vfs& vfs, const std::string& folder);
  // A number that grows with every shard that becomes known.
  [[nodiscard]] std::uint64_t now() const noexcept { return now_; }
  // How many shards were found in the folder, by whomever they were written.
  [[nodiscard]] std::uint64_t found() const noexcept { return found_; }
  // Takes up the shards among these names that are new, and lets go those that are not among them,
  // unless they became known after `listed`, when the listing began. False where one was removed
  // after the listing: its rows may be in a shard that is not in it.
  [[nodiscard]] bool update(const std::vector<std::string>& names, std::uint64_t listed);
  // A shard just written.
  void add_shard(std::shared_ptr<const Shard> shard);
  // Rows in memory: a source of its own, whose rows are indexed from `first` on as they come.
  std::uint32_t add_table(std::shared_ptr<Table> table);
  void reserve_table(std::uint32_t source, std::size_t rows);  // so that the next index_table works
  void index_table(std::uint32_t source, std::size_t first);
  // The table's rows, in their order, are that shard now.
  void seal_table(std::uint32_t source, std::shared_ptr<const Shard> shard);

  [[nodiscard]] const Column* find(std::string_view name) const;
  // Whether so many look-ups are cheaper with an index of all rows; counts them.
  [[nodiscard]] static bool wants_index(const Column& column, std::size_t lookups);
  void index(std::string_view name);  // all pending shards of the column
  void index_all();
  [[nodiscard]] std::optional<RowPlace> place(const Column& column, const RowKey& key) const;

  [[nodiscard]] const Source& source(std::uint32_t number) const { return sources_[number]; }
  // The numbers of the sources that have the column: shards by name, then rows in memory.
  [[nodiscard]] std::vector<std::uint32_t> sources_of(std::string_view name) const;
  [[nodiscard]] std::vector<std::shared_ptr<const Shard>> shards() const;  // by name
  [[nodiscard]] const std::map<std::string, Column, std::less<>>& columns() const {
    return columns_;
  }
  [[nodiscard]] std::vector<Damage> damaged() const;  // by name
  void close_files() const;

 private:
  [[nodiscard]] bool load(const std::string& name);  // false where it is gone
  void register_shard(std::shared_ptr<const Shard> shard);
  void forget(const std::set<std::string_view>& gone);
  Column& column(const ColumnSpec& spec);
  void index_rows(Column& column, std::span<const RowKey> keys, std::uint32_t number,
                  std::size_t first);
  [[nodiscard]] bool wins(std::uint32_t challenger, std::uint32_t holder) const;

  Vfs& vfs_;
  std::string folder_;
  Shard::Budget budget_;
  std::vector<Source> sources_;
  std::map<std::string, std::uint32_t, std::less<>> numbers_;  // shard name to source
  std::map<std::string, Column, std::less<>> columns_;
  std::map<std::string, std::string, std::less<>> damaged_;  // name to reason
  std::uint64_t now_ = 0;
  std::uint64_t found_ = 0;
};

[[nodiscard]] std::string quoted(std::string_view column);
[[nodiscard]] std::string describe(const ColumnSpec& spec);

}  // namespace zoo::detail
