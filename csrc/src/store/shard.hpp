// One shard: writing it, reading rows of it with their checksums, verifying all of it.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "runtime/vfs.hpp"
#include "store/layout.hpp"
#include "zoo/context.hpp"
#include "zoo/store.hpp"

namespace zoo::detail {

inline constexpr std::string_view kShardSuffix = ".safetensors";
inline constexpr std::string_view kTemporarySuffix = ".tmp";

// Whether a file of a store's folder is a shard; key.json, temporary and hidden files are not.
[[nodiscard]] bool is_shard_name(std::string_view name) noexcept;

struct WrittenShard {
  std::string name;
  ShardLayout layout;
  std::vector<std::uint32_t> crcs;
};

// Writes a sealed shard under a new name: temporary file, fsync, rename, fsync of the folder. When
// it throws, no shard was made (or it is made but may not survive a loss of power) and the
// temporary file is removed where that is still possible.
[[nodiscard]] WrittenShard write_shard(const Context& context, Vfs& vfs, const std::string& folder,
                                       std::span<const RowKey> keys,
                                       std::span<const ColumnRows> columns);

// One row that a caller wants: where it is in the shard, and where it goes in the caller's rows.
struct WantedRow {
  std::uint32_t row = 0;
  std::size_t to = 0;
};

class Shard {
 public:
  // Reads and checks the header of an existing shard; throws ShardDamage or Error(kIo).
  Shard(Vfs& vfs, const std::string& folder, std::string name);
  // A shard just written, from memory.
  Shard(const std::string& folder, WrittenShard written);

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] const ShardLayout& layout() const noexcept { return layout_; }

  [[nodiscard]] std::vector<RowKey> read_keys(Vfs& vfs) const;

  // Copies rows of a column to out[to * row_bytes]. `wanted` is sorted by row; keys[to] is the key
  // that the row must have. The first call reads the shard's checksums and checks its seal; every
  // row is checked against its own. Throws ShardDamage.
  void read_rows(const Context& context, Vfs& vfs, const ColumnLayout& column,
                 std::span<const WantedRow> wanted, std::span<const RowKey> keys,
                 std::byte* out) const;

  // Reads every byte; throws ShardDamage at the first that is wrong.
  void verify(const Context& context, Vfs& vfs) const;

 private:
  [[nodiscard]] std::unique_ptr<File> open(Vfs& vfs) const;
  void read_exactly(const File& file, std::uint64_t offset, std::span<std::byte> out) const;
  // The checksums, read and compared with the seal once; sets nothing when that fails.
  std::shared_ptr<const std::vector<std::uint32_t>> crcs(const File& file) const;
  [[nodiscard]] std::vector<std::uint32_t> read_crcs(const File& file) const;
  void read_run(const File& file, const ColumnLayout& column, std::span<const WantedRow> run,
                std::span<const RowKey> keys, const std::vector<std::uint32_t>& crcs,
                std::byte* out) const;

  std::string name_;
  std::string path_;
  ShardLayout layout_;
  mutable std::mutex mutex_;
  mutable std::shared_ptr<const std::vector<std::uint32_t>> crcs_;
};

}  // namespace zoo::detail
