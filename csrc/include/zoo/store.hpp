// The feature store of one key: a folder of immutable shards, rows found by their 16-byte key.
//
// Columns are independent: a row may be in some and not in others. A row of a column is written
// once and never replaced; where two writers wrote the same row, the shard with the lower name
// wins. Any number of processes may read and write one folder without locks; refresh() sees what
// others have sealed since. The format of a shard is in csrc/README.md.
//
// Damage is never a signal and never a row of zeros. A shard whose header or length is wrong
// serves nothing, is listed by damaged(), and its rows count as absent. A shard whose seal or row
// checksum is wrong makes gather() throw Error(kCorrupt) with the shard's path.
//
// All members may be called from several threads at once. Errors: kInvalid (the arguments), kIo
// (the system, with its errno), kCorrupt (damage), and what Context::poll throws.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "zoo/context.hpp"

namespace zoo {

class Vfs;

enum class DType : std::uint8_t { kF32, kF16, kBF16 };

[[nodiscard]] std::size_t dtype_size(DType dtype) noexcept;       // bytes of one value
[[nodiscard]] std::string_view dtype_name(DType dtype) noexcept;  // "F32", "F16", "BF16"
[[nodiscard]] DType dtype_from_name(std::string_view name);       // the reverse; kInvalid

// What names a row: 128 bits of a digest, so that its bits are as good as random.
struct RowKey {
  std::array<std::uint8_t, 16> bytes{};
  friend bool operator==(const RowKey&, const RowKey&) = default;
};
static_assert(sizeof(RowKey) == 16);

// A column's name is 1 to 255 bytes of UTF-8 without control characters; "key", "crc", "seal" and
// the prefixes "pad:", "offsets:" and "scale:" are the format's own.
struct ColumnSpec {
  std::string name;
  DType dtype = DType::kF32;
  std::size_t dim = 0;  // values in a row, at least 1
  friend bool operator==(const ColumnSpec&, const ColumnSpec&) = default;
};

// Rows to append: rows * dim values, row-major and without gaps, little-endian.
struct ColumnRows {
  ColumnSpec spec;
  std::span<const std::byte> values;
};

struct ColumnInfo {
  ColumnSpec spec;
  std::size_t rows = 0;  // distinct keys, rows not sealed yet among them
};

struct Damage {
  std::string shard;  // file name in the folder
  std::string why;
};

struct VerifyReport {
  std::size_t shards = 0;
  std::size_t rows = 0;     // over all sound shards; a key counts once a shard that holds it
  std::uint64_t bytes = 0;  // of all shards, damaged ones included
  std::vector<Damage> damaged;
};

struct StoreOptions {
  // A column's buffered rows become a shard once they reach this many bytes or this age. The age
  // is looked at when rows are appended. Until close, a column written to keeps so much memory.
  std::uint64_t shard_bytes = std::uint64_t{64} << 20;
  std::uint64_t seal_ns = std::uint64_t{30} * 1'000'000'000;
  Vfs* vfs = nullptr;  // the operating system where null; outlives the store
};

class Store {
 public:
  // Opens an existing folder by reading the header and the keys of every shard in it.
  explicit Store(std::string folder, StoreOptions options = {});
  // Seals what is buffered, silently; call close() to hear of errors.
  ~Store();
  Store(Store&&) noexcept;
  Store& operator=(Store&&) noexcept;

  // out[i] = 1 where the column has keys[i], else 0; an unknown column has none. Sizes are equal.
  void contains(std::span<const RowKey> keys, std::string_view column,
                std::span<std::uint8_t> out) const;

  // Buffers those rows that a column lacks, the first of equal keys, and seals full shards.
  // Returns the rows taken, summed over columns. The first append fixes a column's dtype and dim;
  // others are kInvalid, and then nothing is taken. Rows taken are seen by this store at once and
  // by others once sealed. When a shard can't be written the error is thrown, the rows buffered so
  // far stay, and the next append or flush tries again.
  std::size_t append(const Context& context, std::span<const RowKey> keys,
                     std::span<const ColumnRows> columns);

  // Copies the rows of `keys`, in their order, to `out` of keys.size() * dim values; each row read
  // from a shard is checked against its checksum. Returns how many keys the column lacks; unless
  // that is 0, `out` is left as it was. After an error its content is not specified.
  std::size_t gather(const Context& context, std::span<const RowKey> keys, std::string_view column,
                     std::span<std::byte> out) const;

  // Seals everything buffered: durable on return.
  void flush(const Context& context);
  // Flushes; append() is kInvalid afterwards, reading goes on.
  void close(const Context& context);
  // Takes up the shards that others have sealed or removed since.
  void refresh();

  [[nodiscard]] std::vector<ColumnInfo> columns() const;  // by name
  [[nodiscard]] std::vector<Damage> damaged() const;      // found by opening or refresh, by name
  [[nodiscard]] std::size_t shard_count() const;          // sound ones
  [[nodiscard]] std::uint64_t byte_count() const;         // of sound shards
  [[nodiscard]] const std::string& folder() const noexcept;

  // Reads every byte of every shard now in the folder: header, padding, checksums, seal. Changes
  // nothing; temporary files of dead writers are not damage.
  [[nodiscard]] VerifyReport verify(const Context& context) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace zoo
