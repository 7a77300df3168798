// The feature store of one key: a folder of immutable shards, rows found by their 16-byte key.
//
// Columns are independent: a row may be in some and not in others. A row of a column is written
// once and never replaced; where two writers wrote the same row, the shard with the lower name
// wins. Any number of processes may read and write one folder without locks; refresh() sees what
// others have sealed since. The format of shards and journals is in csrc/README.md.
//
// What append() has returned from is committed: it survives the death of the process, in a journal
// that whoever opens the folder next makes a shard of. What a shard holds is durable: it survives a
// loss of power.
//
// Damage is never a signal and never a row of zeros. A shard whose header or length is wrong
// serves nothing, is listed by damaged(), and its rows count as absent. A shard whose seal or row
// checksum is wrong makes gather(), lengths() and Scan throw Error(kCorrupt) with the shard's path.
// A shard that is gone when its rows are read is looked for once more: compaction may have moved
// the rows; rows that are nowhere are an Error(kCorrupt) that names the shard, and absent from then
// on.
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

class Mapping;
class Vfs;

enum class DType : std::uint8_t { kF32, kF16, kBF16, kI8 };

[[nodiscard]] std::size_t dtype_size(DType dtype) noexcept;       // bytes of one value
[[nodiscard]] std::string_view dtype_name(DType dtype) noexcept;  // "F32", "F16", "BF16", "I8"
[[nodiscard]] DType dtype_from_name(std::string_view name);       // the reverse; kInvalid

// What names a row: 128 bits of a digest, so that its bits are as good as random.
struct RowKey {
  std::array<std::uint8_t, 16> bytes{};
  friend bool operator==(const RowKey&, const RowKey&) = default;
  friend auto operator<=>(const RowKey&, const RowKey&) = default;
};
static_assert(sizeof(RowKey) == 16);

// A column's name is 1 to 255 bytes of UTF-8 without control characters; "key", "order", "seal" and
// the prefixes "pad:", "offsets:", "scale:" and "crc:" are the format's own.
struct ColumnSpec {
  std::string name;
  DType dtype = DType::kF32;
  std::size_t dim = 0;  // values in a vector, at least 1
  // A row is one vector, or any number of them, none included: tokens, patches, frames.
  bool ragged = false;
  friend bool operator==(const ColumnSpec&, const ColumnSpec&) = default;
};

// Rows of a column, row-major and without gaps, little-endian.
struct ColumnRows {
  ColumnSpec spec;
  std::span<const std::byte> values;  // rows * dim values; ragged: offsets.back() * dim values
  // Ragged columns alone: rows + 1 numbers from 0 on that never fall; row i has the vectors
  // offsets[i] .. offsets[i + 1].
  std::span<const std::int64_t> offsets = {};
  // kI8 alone: what each vector's integers are multiplied by.
  std::span<const float> scales = {};
};

// Where rows go. `offsets` says how many vectors the caller has room for in each row, as lengths()
// gave them; ragged columns alone. `scales` has room for one number a vector; kI8 alone.
struct RowBuffers {
  std::span<std::byte> values;
  std::span<const std::int64_t> offsets = {};
  std::span<float> scales = {};
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

struct CompactReport {
  std::size_t before = 0;  // shards that were merged and removed
  std::size_t after = 0;   // shards that hold their rows now
  std::size_t rows = 0;
};

struct StoreOptions {
  // Committed rows become shards once they reach this many bytes or this age. The age is looked at
  // when rows are appended. Rows not sealed yet are kept in memory, too.
  std::uint64_t shard_bytes = std::uint64_t{64} << 20;
  std::uint64_t seal_ns = std::uint64_t{30} * 1'000'000'000;
  // A column that gather() asks often of a shard is read once and then kept, checked, in memory, as
  // long as all of them stay below so many bytes. A system call a row is what random rows cost
  // otherwise: several times the copy. 0 keeps none.
  std::uint64_t resident_bytes = 0;
  // Nothing in the folder is changed: append() and compact() are kInvalid, and rows that dead
  // writers left in journals are read from memory.
  bool read_only = false;
  Vfs* vfs = nullptr;  // the operating system where null; outlives the store
};

// A column of one sealed shard as it lies in the file, mapped; `file` keeps it valid, even after
// the shard was unlinked. The bytes are not checked: verify() does that.
struct ShardView {
  std::string shard;
  ColumnSpec spec;
  std::span<const RowKey> keys;
  std::span<const std::byte> values;
  std::span<const std::int64_t> offsets;
  std::span<const float> scales;
  std::shared_ptr<const Mapping> file;
};

// Reads a column's rows in the order of the files, each once, a block at a time. Shards that are
// removed meanwhile stay readable as long as the process has not too many files open; past that a
// removed one is an Error(kIo), and a new scan finds its rows.
class Scan {
 public:
  ~Scan();
  Scan(Scan&&) noexcept;
  Scan& operator=(Scan&&) noexcept;
  struct Size {
    std::size_t rows = 0;     // of the next block; 0 at the end
    std::size_t vectors = 0;  // in them; equal to `rows` where the column is not ragged
  };
  // The size of the next block, of at most so many rows (at least 1). Begins to read ahead.
  [[nodiscard]] Size next(std::size_t most);
  // Reads that block, every row checked against its checksum. Of a ragged column `offsets` (rows +
  // 1) is filled as well.
  void read(const Context& context, std::span<RowKey> keys, const RowBuffers& out,
            std::span<std::int64_t> offsets = {});

 private:
  friend class Store;
  class Impl;
  explicit Scan(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

class Store {
 public:
  // Opens an existing folder by reading the header of every shard in it. Journals of dead writers
  // become shards; where the folder can't be written to, their rows are read from memory.
  explicit Store(std::string folder, StoreOptions options = {});
  // Seals what is buffered, silently; call close() to hear of errors.
  ~Store();
  Store(Store&&) noexcept;
  Store& operator=(Store&&) noexcept;

  // out[i] = 1 where the column has keys[i], else 0; an unknown column has none. Sizes are equal.
  void contains(std::span<const RowKey> keys, std::string_view column,
                std::span<std::uint8_t> out) const;

  // Commits those rows that a column lacks, the first of equal keys, and seals full shards. Returns
  // the rows taken, summed over columns. The first append fixes a column's dtype, dim and
  // raggedness; others are kInvalid, and then nothing is taken. Rows taken are seen by this store
  // at once and by others once sealed. They are committed some MiB at a time: where that fails the
  // error is thrown, and those before stay. Where a shard can't be written the error is thrown too,
  // no row is lost, and the next append or flush tries again.
  std::size_t append(const Context& context, std::span<const RowKey> keys,
                     std::span<const ColumnRows> columns);

  // The vectors in each row. Returns how many keys the column lacks; unless that is 0, `out` is
  // left as it was.
  std::size_t lengths(const Context& context, std::span<const RowKey> keys, std::string_view column,
                      std::span<std::int64_t> out) const;

  // Copies the rows of `keys`, in their order, to `out`; each row read from a shard is checked
  // against its checksum. Returns how many keys the column lacks; unless that is 0, `out` is left
  // as it was. After an error its content is not specified.
  std::size_t gather(const Context& context, std::span<const RowKey> keys, std::string_view column,
                     const RowBuffers& out) const;

  // Lets the system begin to read so many `rows` that gather() will want: a hint that costs two
  // look-ups, and helps where those from the first key's to the last key's lie together in a shard.
  void will_need(const RowKey& first, const RowKey& last, std::size_t rows,
                 std::string_view column) const noexcept;

  // All rows of a column, those not sealed yet last; what is appended later is not seen. Nothing of
  // an unknown column.
  [[nodiscard]] Scan scan(std::string_view column) const;
  // The shards that have the column, as they lie; a row that two shards hold is in two views, and
  // rows not sealed yet are in none.
  [[nodiscard]] std::vector<ShardView> views(std::string_view column) const;

  // Seals everything committed: durable on return.
  void flush(const Context& context);
  // Flushes; append() is kInvalid afterwards, reading goes on. A writer that leaves many small
  // shards behind merges them as compact() does; if that fails, they just stay.
  void close(const Context& context);
  // Takes up the shards that others have sealed or removed since, and dead writers' journals.
  void refresh();
  // Merges small shards of the same columns into larger ones, and removes them. Safe beside readers
  // and writers, other compactions too. Damaged shards are left as they are.
  CompactReport compact(const Context& context);

  [[nodiscard]] std::vector<ColumnInfo> columns() const;  // by name
  // Copies the column's spec; false where no shard and no row of this store has it.
  bool find_column(std::string_view name, ColumnSpec& out) const;
  [[nodiscard]] std::vector<Damage> damaged() const;  // found by opening or refresh, by name
  [[nodiscard]] std::size_t shard_count() const;      // sound ones
  [[nodiscard]] std::uint64_t byte_count() const;     // of sound shards
  [[nodiscard]] const std::string& folder() const noexcept;

  // Reads every byte of every shard now in the folder: header, padding, order, checksums, seal.
  // Changes nothing; journals and temporary files of dead writers are not damage.
  [[nodiscard]] VerifyReport verify(const Context& context) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace zoo
