// The store's state and its two locks; its parts stand in store.cpp (reading), writing.cpp,
// recovery.cpp, compaction.cpp and scan.cpp.
//
// mutex_ guards what is known of the folder and is never held over a read or a write of values:
// readers take the shards they need out of it. writing_ makes appends, seals, recovery and
// compaction one at a time; who holds both took writing_ first.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <string>
#include <utility>
#include <vector>

#include "runtime/vfs.hpp"
#include "store/catalogue.hpp"
#include "store/journal.hpp"
#include "zoo/error.hpp"
#include "zoo/store.hpp"

namespace zoo {

class Store::Impl {
 public:
  Impl(std::string folder, const StoreOptions& options);

  void contains(std::span<const RowKey> keys, std::string_view column,
                std::span<std::uint8_t> out) const;
  std::size_t append(const Context& context, std::span<const RowKey> keys,
                     std::span<const ColumnRows> given);
  std::size_t lengths(const Context& context, std::span<const RowKey> keys, std::string_view column,
                      std::span<std::int64_t> out) const;
  std::size_t gather(const Context& context, std::span<const RowKey> keys, std::string_view column,
                     const RowBuffers& out) const;
  void will_need(const RowKey& first, const RowKey& last, std::size_t rows,
                 std::string_view column) const noexcept;
  Scan scan(std::string_view column) const;
  std::vector<ShardView> views(std::string_view column) const;
  void flush(const Context& context);
  void close(const Context& context);
  void refresh();
  CompactReport compact(const Context& context);
  std::vector<ColumnInfo> columns() const;
  bool find_column(std::string_view name, ColumnSpec& out) const;
  std::vector<Damage> damaged() const;
  std::size_t shard_count() const;
  std::uint64_t byte_count() const;
  const std::string& folder() const noexcept { return folder_; }
  VerifyReport verify(const Context& context) const;

 private:
  using Catalogue = detail::Catalogue;
  using Table = detail::Table;
  using Journal = detail::Journal;
  using Shard = detail::Shard;

  // Rows in memory and their number among the catalogue's sources.
  struct OpenTable {
    std::uint32_t source = 0;
    std::shared_ptr<Table> table;
  };
  // Rows on their way into a shard. They are read from memory until it is durable.
  struct Sealing {
    OpenTable open;
    std::unique_ptr<detail::ShardWrite> write;  // null where it is to be written, perhaps again
  };
  // What is committed and not sealed yet; sealed as a whole, and then its journals are removed.
  struct Generation {
    std::vector<OpenTable> tables;
    std::vector<std::unique_ptr<Journal>> journals;
    bool writable = false;  // whether the last journal may be written to
    std::uint64_t since_ns = 0;
    [[nodiscard]] std::uint64_t bytes() const;
    [[nodiscard]] bool empty() const;
  };
  // A dead writer's journal that could not be made a shard: its rows are in memory.
  struct Orphan {
    std::string name;
    std::unique_ptr<File> file = {};  // open, and with it its lock
    std::vector<OpenTable> tables = {};
    bool removable = true;
    bool refused = false;  // it has rows that no shard of this store may have: they are not removed
  };
  // Rows that are wanted of each source, and keys that nobody has.
  struct Plan {
    std::map<std::uint32_t, std::vector<detail::WantedRow>> wanted;
    std::size_t missing = 0;
  };

  // Reading (store.cpp).
  // Runs `work` again after closing files where too many were open, and after another look at the
  // folder where a shard had gone; `gone` is that shard's path.
  template <typename Work>
  auto robust(const Work& work) const;
  // Lists the folder and takes up what is new and what is gone; returns all names.
  std::vector<std::string> look_again() const;
  void prepare(std::string_view column, std::size_t lookups) const;
  [[nodiscard]] Plan plan(const detail::Column& column, std::span<const RowKey> keys) const;
  std::size_t gather_once(const Context& context, std::span<const RowKey> keys,
                          std::string_view name, const RowBuffers& out) const;
  std::size_t lengths_once(std::span<const RowKey> keys, std::string_view name,
                           std::span<std::int64_t> out) const;

  // Writing (writing.cpp); all under writing_.
  void check_writable() const;
  void disown_after_fork();
  void check_append(std::span<const RowKey> keys, std::span<const ColumnRows> given) const;
  [[nodiscard]] std::string conflict(std::span<const ColumnRows> given) const;
  // Rows by which of the columns lack them, as bits; of equal keys the first. `sealed`: rows in
  // memory don't count as there.
  [[nodiscard]] std::map<std::uint64_t, std::vector<std::uint32_t>> missing_rows(
      std::span<const RowKey> keys, std::span<const ColumnRows> given, bool sealed) const;
  void take(const Context& context, std::span<const RowKey> keys,
            std::span<const std::uint32_t> picked, std::span<const ColumnRows* const> columns);
  void commit(std::span<const RowKey> keys, std::span<const ColumnRows> columns);
  [[nodiscard]] OpenTable open_table(std::span<const ColumnRows* const> columns);
  [[nodiscard]] bool is_full() const;
  [[nodiscard]] bool is_old() const;
  [[nodiscard]] bool is_due() const;
  void begin_seal(const Context& context);
  void finish_seal(const Context& context);
  void seal(const Context& context);  // both
  [[nodiscard]] std::uint64_t found_shards() const;
  void settle_table(const OpenTable& open, detail::WrittenShard written);

  // Recovery (recovery.cpp); under writing_.
  void recover(const std::vector<std::string>& names);
  void recover(const std::string& name);
  void settle(Orphan& orphan);
  void seal_rows(Orphan& orphan);
  class Salvage;

  // Compaction (compaction.cpp); under writing_.
  struct Merge;
  [[nodiscard]] std::size_t small_shards() const;
  CompactReport merge(const Context& context);
  void add_input(const Context& context, Merge& merge,
                 const std::shared_ptr<const Shard>& shard) const;
  void finish(const Context& context, Merge& merge, CompactReport& report);

  std::string folder_;
  StoreOptions options_;
  Vfs& vfs_;
  Shard::Budget budget_;  // null where nothing is kept in memory

  mutable std::shared_mutex mutex_;
  mutable Catalogue catalogue_;

  std::mutex writing_;
  std::uint64_t process_ = 0;
  Generation generation_;
  std::vector<Sealing> sealing_;
  std::vector<std::unique_ptr<Journal>> sealing_journals_;
  std::uint64_t sealing_since_ns_ = 0;
  std::uint64_t certain_ = 0;  // of the shards found, how many were when the folder was synced
  std::vector<std::shared_ptr<Table>> spare_;  // cleared tables, for their memory
  std::vector<Orphan> orphans_;
  bool appended_ = false;
  bool closed_ = false;
};

// Compaction may move the rows again while this looks for them, but not for ever.
template <typename Work>
auto Store::Impl::robust(const Work& work) const {
  constexpr int kLooks = 16;
  std::string gone;
  bool closed_files = false;
  for (int looks = 0;; ++looks) {
    try {
      return work(gone);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kIo) throw;
      if (is_out_of_files(error.os_code()) && !std::exchange(closed_files, true)) {
        const std::shared_lock lock(mutex_);
        catalogue_.close_files();
      } else if (is_not_found(error.os_code()) && looks < kLooks) {
        gone = error.what();
        look_again();
      } else {
        throw;
      }
    }
  }
}

namespace detail {

// The columns whose bits are set.
[[nodiscard]] std::vector<const ColumnRows*> picked_columns(std::span<const ColumnRows> given,
                                                            std::uint64_t mask);

}  // namespace detail
}  // namespace zoo
