#include "store/shard.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "runtime/parallel.hpp"
#include "store/crc32c.hpp"
#include "store/damage.hpp"
#include "store/sha256.hpp"

namespace zoo::detail {
namespace {

constexpr std::uint64_t kReadBytes = std::uint64_t{1} << 20;  // a task's share of reading
constexpr std::size_t kFirstRead = 4096;                      // holds the header of most shards

Sha256Digest seal_of(const ShardLayout& layout, std::span<const std::uint32_t> crcs) {
  Sha256 sha;
  sha.update(layout.head.data(), layout.head.size());
  sha.update(crcs.data(), crcs.size_bytes());
  return sha.finish();
}

std::uint64_t rows_per_task(std::uint64_t row_bytes) {
  return std::max<std::uint64_t>(1, kReadBytes / std::max<std::uint64_t>(1, row_bytes));
}

}  // namespace

bool is_shard_name(std::string_view name) noexcept {
  return name.ends_with(kShardSuffix) && !name.starts_with('.') &&
         name.size() > kShardSuffix.size();
}

Shard::Shard(Vfs& vfs, const std::string& folder, std::string name)
    : name_(std::move(name)), path_(folder + "/" + name_) {
  const std::unique_ptr<File> file = vfs.open_read(path_);
  const std::uint64_t size = file->size();
  std::string head(kFirstRead, '\0');
  head.resize(file->read_at(0, std::as_writable_bytes(std::span(head))));
  const std::uint64_t head_bytes = head_size(
      std::as_bytes(std::span(head).first(std::min<std::size_t>(8, head.size()))), size, path_);
  const std::size_t known = std::min<std::size_t>(head.size(), head_bytes);
  head.resize(head_bytes);
  read_exactly(*file, known, std::as_writable_bytes(std::span(head)).subspan(known));
  layout_ = read_layout(head, size, path_);
}

Shard::Shard(const std::string& folder, WrittenShard written)
    : name_(std::move(written.name)),
      path_(folder + "/" + name_),
      layout_(std::move(written.layout)),
      crcs_(std::make_shared<const std::vector<std::uint32_t>>(std::move(written.crcs))) {}

std::unique_ptr<File> Shard::open(Vfs& vfs) const {
  std::unique_ptr<File> file = vfs.open_read(path_);
  const std::uint64_t size = file->size();
  if (size != layout_.file_bytes) {
    throw ShardDamage(path_, "it is " + std::to_string(size) + " bytes long and should be " +
                                 std::to_string(layout_.file_bytes));
  }
  return file;
}

void Shard::read_exactly(const File& file, std::uint64_t offset, std::span<std::byte> out) const {
  const std::size_t got = file.read_at(offset, out);
  if (got != out.size()) {
    throw ShardDamage(path_, "it ends at byte " + std::to_string(offset + got));
  }
}

std::vector<RowKey> Shard::read_keys(Vfs& vfs) const {
  const std::unique_ptr<File> file = open(vfs);
  std::vector<RowKey> keys(layout_.rows);
  read_exactly(*file, layout_.key_offset, std::as_writable_bytes(std::span(keys)));
  return keys;
}

std::vector<std::uint32_t> Shard::read_crcs(const File& file) const {
  std::vector<std::uint32_t> crcs(layout_.rows);
  read_exactly(file, layout_.crc_offset, std::as_writable_bytes(std::span(crcs)));
  Sha256Digest seal{};
  read_exactly(file, layout_.seal_offset, std::as_writable_bytes(std::span(seal)));
  if (seal != seal_of(layout_, crcs)) {
    throw ShardDamage(path_, "its seal does not match its header and checksums");
  }
  return crcs;
}

std::shared_ptr<const std::vector<std::uint32_t>> Shard::crcs(const File& file) const {
  const std::scoped_lock lock(mutex_);
  if (!crcs_) crcs_ = std::make_shared<const std::vector<std::uint32_t>>(read_crcs(file));
  return crcs_;
}

// Reads rows that follow each other in the file with one read a column.
void Shard::read_run(const File& file, const ColumnLayout& column, std::span<const WantedRow> run,
                     std::span<const RowKey> keys, const std::vector<std::uint32_t>& crcs,
                     std::byte* out) const {
  const std::size_t first = run.front().row;
  bool in_place = true;  // the caller wants them in the file's order, too: no copy
  for (std::size_t i = 0; i < run.size(); ++i) in_place &= run[i].to == run[0].to + i;

  std::vector<std::uint32_t> actual(run.size());
  for (std::size_t i = 0; i < run.size(); ++i) {
    actual[i] = crc32c(0, keys[run[i].to].bytes.data(), kKeyBytes);
  }
  std::vector<std::byte> scratch;
  for (const ColumnLayout& each : layout_.columns) {
    const bool asked = &each == &column;
    const std::size_t row_bytes = each.row_bytes;
    const bool direct = asked && in_place;
    if (!direct) scratch.resize(run.size() * row_bytes);
    std::byte* rows = direct ? out + run.front().to * row_bytes : scratch.data();
    read_exactly(file, each.offset + first * row_bytes, {rows, run.size() * row_bytes});
    for (std::size_t i = 0; i < run.size(); ++i) {
      actual[i] = crc32c(actual[i], rows + i * row_bytes, row_bytes);
      if (asked && !in_place) {
        std::memcpy(out + run[i].to * row_bytes, rows + i * row_bytes, row_bytes);
      }
    }
  }
  for (std::size_t i = 0; i < run.size(); ++i) {
    if (actual[i] != crcs[first + i]) {
      throw ShardDamage(path_, "row " + std::to_string(first + i) + " does not match its checksum");
    }
  }
}

void Shard::read_rows(const Context& context, Vfs& vfs, const ColumnLayout& column,
                      std::span<const WantedRow> wanted, std::span<const RowKey> keys,
                      std::byte* out) const {
  const std::unique_ptr<File> file = open(vfs);
  const auto checksums = crcs(*file);
  const std::uint64_t step = rows_per_task(column.row_bytes);
  parallel_for(context, (wanted.size() + step - 1) / step, [&](std::size_t task) {
    auto rest = wanted.subspan(task * step);
    rest = rest.first(std::min<std::size_t>(rest.size(), step));
    while (!rest.empty()) {
      std::size_t count = 1;
      while (count < rest.size() && rest[count].row == rest[count - 1].row + 1) ++count;
      read_run(*file, column, rest.first(count), keys, *checksums, out);
      rest = rest.subspan(count);
    }
  });
}

void Shard::verify(const Context& context, Vfs& vfs) const {
  const std::unique_ptr<File> file = open(vfs);
  const std::vector<std::uint32_t> crcs = read_crcs(*file);
  for (const auto& [offset, size] : layout_.padding) {
    std::vector<std::byte> bytes(size);
    read_exactly(*file, offset, bytes);
    if (std::any_of(bytes.begin(), bytes.end(), [](std::byte b) { return b != std::byte{0}; })) {
      throw ShardDamage(path_, "its padding at byte " + std::to_string(offset) + " is not zero");
    }
  }
  std::uint64_t widest = 0;
  for (const ColumnLayout& column : layout_.columns) {
    widest = std::max(widest, column.row_bytes);
  }
  const std::uint64_t step = rows_per_task(widest);
  std::vector<RowKey> keys;
  std::vector<WantedRow> run;
  std::vector<std::byte> values;
  for (std::uint64_t first = 0; first < layout_.rows; first += step) {
    context.check();
    const std::size_t count = std::min(step, layout_.rows - first);
    keys.resize(count);
    read_exactly(*file, layout_.key_offset + first * kKeyBytes,
                 std::as_writable_bytes(std::span(keys)));
    run.resize(count);
    for (std::size_t i = 0; i < count; ++i) run[i] = {static_cast<std::uint32_t>(first + i), i};
    values.resize(count * layout_.columns.front().row_bytes);
    read_run(*file, layout_.columns.front(), run, keys, crcs, values.data());
  }
}

}  // namespace zoo::detail
