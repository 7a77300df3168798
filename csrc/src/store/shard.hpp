// One shard: writing it, reading rows of it with their checksums, verifying all of it.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "runtime/vfs.hpp"
#include "store/layout.hpp"
#include "store/resident.hpp"
#include "zoo/context.hpp"
#include "zoo/store.hpp"

namespace zoo::detail {

inline constexpr std::string_view kShardSuffix = ".safetensors";
inline constexpr std::string_view kTemporarySuffix = ".tmp";
inline constexpr std::uint64_t kTaskBytes = std::uint64_t{256}
                                            << 10;  // read, then checked in cache

// Whether a file of a store's folder is a shard; key.json, temporary and hidden files are not.
[[nodiscard]] bool is_shard_name(std::string_view name) noexcept;

// What rows are checked against; one entry a column, in the file's order.
struct Checks {
  std::vector<std::vector<std::uint32_t>> crcs;    // (n,)
  std::vector<std::vector<std::int64_t>> offsets;  // (n + 1,); empty where the column is not ragged
};

struct WrittenShard {
  std::string name;
  ShardLayout layout;
  Checks checks;
};

// A shard on its way to the disk, in a temporary file. Written first, made durable later: meanwhile
// the disk works beside the writer. Unless finished, it is removed where that is still possible.
class ShardWrite {
 public:
  // Writes all of it, and asks the system to begin with writing it out. Keys are distinct.
  ShardWrite(const Context& context, Vfs& vfs, const std::string& folder,
             std::span<const RowKey> keys, std::span<const ColumnRows> columns);
  ~ShardWrite();
  ShardWrite(const ShardWrite&) = delete;
  ShardWrite& operator=(const ShardWrite&) = delete;
  // fsync, rename, fsync of the folder: durable on return. When it throws, no shard was made, or
  // one that may not survive a loss of power; only a new ShardWrite may follow.
  [[nodiscard]] WrittenShard finish();
  // Leaves the temporary file where it is: it is another process's.
  void abandon() noexcept { temporary_.clear(); }

 private:
  void discard() noexcept;

  Vfs& vfs_;
  std::string folder_;
  std::string temporary_;
  std::unique_ptr<File> file_;
  WrittenShard written_;
};

// Both at once.
[[nodiscard]] WrittenShard write_shard(const Context& context, Vfs& vfs, const std::string& folder,
                                       std::span<const RowKey> keys,
                                       std::span<const ColumnRows> columns);

// SHA-256 of a shard's head and checksums.
[[nodiscard]] std::array<std::uint8_t, kSealBytes> seal_of(const ShardLayout& layout,
                                                           const Checks& checks);

// One row that a caller wants: where it is in the shard, and where it goes in the caller's rows.
struct WantedRow {
  std::uint32_t row = 0;
  std::size_t to = 0;
};

class Shard {
 public:
  using Budget = std::shared_ptr<ResidentBudget>;
  // Reads and checks the header of an existing shard; throws ShardDamage or Error(kIo). Columns
  // that are read often are kept in memory within the budget, if there is one.
  Shard(Vfs& vfs, const std::string& folder, std::string name, Budget budget = nullptr);
  // A shard just written, from memory.
  Shard(Vfs& vfs, const std::string& folder, WrittenShard written, Budget budget = nullptr);

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] const ShardLayout& layout() const noexcept { return layout_; }

  [[nodiscard]] std::vector<RowKey> read_keys() const;
  // The row of a key, found by a few reads in `order`; what is found is not checked yet.
  [[nodiscard]] std::optional<std::uint32_t> search(const RowKey& key) const;

  // The vectors of each wanted row: out[to].
  void read_lengths(const ColumnLayout& column, std::span<const WantedRow> wanted,
                    std::span<std::int64_t> out) const;
  // Copies rows of a column to their places in `out`; keys[to] is the key that the row must have.
  // `wanted` is sorted where that helps. The first call reads the shard's checksums and checks its
  // seal; every row is checked against its own. Throws ShardDamage; kInvalid where out's offsets
  // are not the lengths of the rows.
  void read_rows(const Context& context, const ColumnLayout& column, std::span<WantedRow> wanted,
                 std::span<const RowKey> keys, const RowBuffers& out) const;

  // Rows `first` ... of a column with their keys, keys.size() of them.
  void read_block(const Context& context, const ColumnLayout& column, std::uint64_t first,
                  std::span<RowKey> keys, const RowBuffers& out) const;
  // Their offsets, from 0 on, where the column is ragged: out has a number more than rows.
  void block_offsets(const ColumnLayout& column, std::uint64_t first,
                     std::span<std::int64_t> out) const;
  // Says that the block will be read soon.
  void will_need(const ColumnLayout& column, std::uint64_t first, std::uint64_t rows) const;

  // Reads every byte; throws ShardDamage at the first that is wrong.
  void verify(const Context& context) const;

  // Maps the file, as long as its layout says.
  [[nodiscard]] std::unique_ptr<Mapping> map() const;

  // Opens the file now, unless too many are: then it may be removed before it is read.
  void open_file() const { (void)file(); }
  // Closes the file until it is read again: for a process that has too many open.
  void close_file() const;

 private:
  // The file, kept open between reads as long as the process does not keep too many: then a shard
  // that another process removes stays readable, and a read is one system call.
  [[nodiscard]] std::shared_ptr<const File> file() const;
  void keep(std::unique_ptr<File> file) const;
  void read_exactly(const File& file, std::uint64_t offset, std::span<std::byte> out) const;
  // Checksums and offsets, read and compared with the seal once; keeps nothing when that fails.
  [[nodiscard]] std::shared_ptr<const Checks> checks(const File& file) const;
  [[nodiscard]] Checks read_checks(const File& file) const;
  void read_values(const File& file, const ColumnLayout& column, const Checks& checks,
                   std::span<const WantedRow> wanted, const RowBuffers& out) const;
  void compare(const ColumnLayout& column, const Checks& checks, std::span<const WantedRow> wanted,
               std::span<const RowKey> keys, const RowBuffers& out) const;
  // The column in memory, once that pays; null where there is no room or not yet reason for it.
  [[nodiscard]] std::shared_ptr<const Resident> resident(const Context& context,
                                                         const ColumnLayout& column,
                                                         std::size_t more_rows) const;
  void copy_rows(const Resident& from, const ColumnLayout& column,
                 std::span<const std::int64_t> offsets, std::span<const WantedRow> wanted,
                 std::span<const RowKey> keys, const RowBuffers& out) const;
  void verify_order(const File& file) const;
  [[nodiscard]] std::size_t number(const ColumnLayout& column) const noexcept {
    return static_cast<std::size_t>(&column - layout_.columns.data());
  }

  Vfs& vfs_;
  std::string name_;
  std::string path_;
  ShardLayout layout_;
  mutable std::mutex mutex_;
  mutable std::shared_ptr<const File> file_;
  mutable std::shared_ptr<const Checks> checks_;
  Budget budget_;
  mutable std::vector<std::shared_ptr<const Resident>> residents_;  // one a column
  mutable std::vector<std::uint64_t> rows_read_;                    // likewise
};

}  // namespace zoo::detail
