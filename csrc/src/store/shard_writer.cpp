#include <algorithm>
#include <array>
#include <bit>
#include <numeric>

#include "store/row_crcs.hpp"
#include "store/shard.hpp"
#include "store/table.hpp"
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
      if (piece.size() == kWriteBytes) file_.start_sync();
      data = data.subspan(piece.size());
    }
  }

  void pad_to(std::uint64_t offset) {
    constexpr std::array<std::byte, kAlignment> kZeros{};
    if (offset > at_) put(std::span(kZeros).first(static_cast<std::size_t>(offset - at_)));
  }

 private:
  const Context& context_;
  File& file_;
  std::uint64_t at_ = 0;
};

std::vector<std::uint32_t> crcs_of(std::span<const RowKey> keys, const ColumnRows& column,
                                   const ColumnLayout& layout) {
  constexpr std::size_t kGroup = 64;
  std::vector<std::uint32_t> crcs(keys.size());
  std::array<RowParts, kGroup> parts;
  for (std::size_t start = 0; start < keys.size(); start += kGroup) {
    const std::size_t count = std::min(kGroup, keys.size() - start);
    for (std::size_t i = 0; i < count; ++i) {
      const VectorRange range = vectors_of(column.offsets, column.spec.ragged, start + i);
      RowParts& row = parts[i];
      row.key = &keys[start + i];
      row.offsets = column.spec.ragged ? column.offsets.data() + start + i : nullptr;
      row.scales = layout.scaled() ? column.scales.data() + range.from : nullptr;
      row.scale_bytes = layout.scaled() ? range.size() * kScaleBytes : 0;
      row.values = column.values.data() + range.from * layout.vector_bytes;
      row.value_bytes = range.size() * layout.vector_bytes;
    }
    row_crcs(std::span(parts).first(count), std::span(crcs).subspan(start, count));
  }
  return crcs;
}

// Row numbers by ascending key; throws kInvalid where two keys are equal.
std::vector<std::uint32_t> order_of(std::span<const RowKey> keys) {
  std::vector<std::uint32_t> order(keys.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(),
            [&](std::uint32_t a, std::uint32_t b) { return keys[a] < keys[b]; });
  for (std::size_t i = 1; i < order.size(); ++i) {
    if (keys[order[i - 1]] == keys[order[i]]) {
      throw Error(ErrorKind::kInvalid, "a shard has each key once");
    }
  }
  return order;
}

void write_file(const Context& context, File& file, std::span<const RowKey> keys,
                std::span<const ColumnRows> columns, const WrittenShard& shard) {
  const ShardLayout& layout = shard.layout;
  file.reserve(layout.file_bytes);
  Cursor cursor(context, file);
  cursor.put(std::as_bytes(std::span(layout.head)));
  cursor.put(std::as_bytes(keys));
  cursor.pad_to(layout.order_offset);
  const std::vector<std::uint32_t> order = order_of(keys);
  cursor.put(std::as_bytes(std::span(order)));
  for (std::size_t c = 0; c < columns.size(); ++c) {
    const ColumnLayout& column = layout.columns[c];
    if (column.spec.ragged) {
      cursor.pad_to(column.offsets_offset);
      cursor.put(std::as_bytes(columns[c].offsets));
    }
    cursor.pad_to(column.values_offset);
    cursor.put(columns[c].values);
    if (column.scaled()) {
      cursor.pad_to(column.scale_offset);
      cursor.put(std::as_bytes(columns[c].scales));
    }
    cursor.pad_to(column.crc_offset);
    cursor.put(std::as_bytes(std::span(shard.checks.crcs[c])));
  }
  const auto seal = seal_of(layout, shard.checks);
  cursor.put(std::as_bytes(std::span(seal)));
  file.start_sync();
}

}  // namespace

ShardWrite::ShardWrite(const Context& context, Vfs& vfs, const std::string& folder,
                       std::span<const RowKey> keys, std::span<const ColumnRows> columns)
    : vfs_(vfs), folder_(folder) {
  std::vector<SizedColumn> sized;
  for (const ColumnRows& column : columns) {
    const std::string problem = rows_problem(column, keys.size());
    if (!problem.empty()) throw Error(ErrorKind::kInvalid, problem);
    sized.push_back({column.spec, column.spec.ragged
                                      ? static_cast<std::uint64_t>(column.offsets.back())
                                      : static_cast<std::uint64_t>(keys.size())});
  }
  written_.layout = plan_layout(keys.size(), sized);
  for (std::size_t c = 0; c < columns.size(); ++c) {
    written_.checks.crcs.push_back(crcs_of(keys, columns[c], written_.layout.columns[c]));
    written_.checks.offsets.emplace_back(columns[c].offsets.begin(), columns[c].offsets.end());
  }
  written_.name = vfs.unique_stem() + std::string(kShardSuffix);
  temporary_ = folder + "/" + written_.name + std::string(kTemporarySuffix);
  file_ = vfs.create(temporary_);
  try {
    write_file(context, *file_, keys, columns, written_);
  } catch (...) {
    discard();
    throw;
  }
}

ShardWrite::~ShardWrite() { discard(); }

void ShardWrite::discard() noexcept {
  if (temporary_.empty()) return;
  file_.reset();
  try {
    vfs_.remove(temporary_);
  } catch (...) {  // a temporary file left behind is not damage
  }
  temporary_.clear();
}

WrittenShard ShardWrite::finish() {
  file_->sync();
  file_.reset();  // closed before it gets its name
  vfs_.rename(temporary_, folder_ + "/" + written_.name);
  temporary_.clear();
  vfs_.sync_folder(folder_);
  return std::move(written_);
}

WrittenShard write_shard(const Context& context, Vfs& vfs, const std::string& folder,
                         std::span<const RowKey> keys, std::span<const ColumnRows> columns) {
  return ShardWrite(context, vfs, folder, keys, columns).finish();
}

}  // namespace zoo::detail
