#include <algorithm>
#include <array>
#include <bit>

#include "store/crc32c.hpp"
#include "store/sha256.hpp"
#include "store/shard.hpp"
#include "zoo/error.hpp"

namespace zoo::detail {
namespace {

static_assert(std::endian::native == std::endian::little, "shards are written as memory has them");

constexpr std::size_t kWriteBytes = std::size_t{4} << 20;  // written between two polls

// Writes in the file's order and keeps count of where it is.
class Cursor {
 public:
  Cursor(const Context& context, File& file) : context_(context), file_(file) {}

  void put(std::span<const std::byte> data) {
    at_ += data.size();
    while (!data.empty()) {
      context_.check();
      const auto piece = data.first(std::min(data.size(), kWriteBytes));
      file_.write(piece);
      data = data.subspan(piece.size());
    }
  }

  void pad_to(std::uint64_t offset) {
    constexpr std::array<std::byte, kAlignment> kZeros{};
    put(std::span(kZeros).first(static_cast<std::size_t>(offset - at_)));
  }

 private:
  const Context& context_;
  File& file_;
  std::uint64_t at_ = 0;
};

std::vector<std::uint32_t> row_crcs(std::span<const RowKey> keys,
                                    std::span<const ColumnRows> columns,
                                    const ShardLayout& layout) {
  std::vector<std::uint32_t> crcs(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    crcs[i] = crc32c(0, keys[i].bytes.data(), kKeyBytes);
    for (std::size_t c = 0; c < columns.size(); ++c) {
      const std::size_t row_bytes = layout.columns[c].row_bytes;
      crcs[i] = crc32c(crcs[i], columns[c].values.data() + i * row_bytes, row_bytes);
    }
  }
  return crcs;
}

void write_file(const Context& context, File& file, std::span<const RowKey> keys,
                std::span<const ColumnRows> columns, const WrittenShard& shard) {
  const ShardLayout& layout = shard.layout;
  Cursor cursor(context, file);
  cursor.put(std::as_bytes(std::span(layout.head)));
  cursor.put(std::as_bytes(keys));
  for (std::size_t c = 0; c < columns.size(); ++c) {
    cursor.pad_to(layout.columns[c].offset);
    cursor.put(columns[c].values);
  }
  cursor.pad_to(layout.crc_offset);
  cursor.put(std::as_bytes(std::span(shard.crcs)));
  Sha256 sha;
  sha.update(layout.head.data(), layout.head.size());
  sha.update(shard.crcs.data(), shard.crcs.size() * kCrcBytes);
  const Sha256Digest seal = sha.finish();
  cursor.put(std::as_bytes(std::span(seal)));
  file.sync();
}

}  // namespace

WrittenShard write_shard(const Context& context, Vfs& vfs, const std::string& folder,
                         std::span<const RowKey> keys, std::span<const ColumnRows> columns) {
  std::vector<ColumnSpec> specs;
  for (const ColumnRows& column : columns) specs.push_back(column.spec);
  WrittenShard shard;
  shard.layout = plan_layout(keys.size(), specs);
  for (std::size_t c = 0; c < columns.size(); ++c) {
    if (columns[c].values.size() != keys.size() * shard.layout.columns[c].row_bytes) {
      throw Error(ErrorKind::kInvalid, "column '" + specs[c].name + "' has " +
                                           std::to_string(columns[c].values.size()) +
                                           " bytes, which is not one row a key");
    }
  }
  shard.crcs = row_crcs(keys, columns, shard.layout);
  shard.name = vfs.unique_stem() + std::string(kShardSuffix);
  const std::string path = folder + "/" + shard.name;
  const std::string temporary = path + std::string(kTemporarySuffix);
  std::unique_ptr<File> file = vfs.create(temporary);
  try {
    write_file(context, *file, keys, columns, shard);
    file.reset();  // closed before it gets its name
    vfs.rename(temporary, path);
  } catch (...) {
    file.reset();
    try {
      vfs.remove(temporary);
    } catch (const Error&) {  // a temporary file left behind is not damage
    }
    throw;
  }
  vfs.sync_folder(folder);
  return shard;
}

}  // namespace zoo::detail
