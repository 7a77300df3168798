#include "store/shard.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>
#include <utility>

#include "runtime/parallel.hpp"
#include "store/damage.hpp"
#include "store/row_crcs.hpp"
#include "store/sha256.hpp"
#include "store/table.hpp"

namespace zoo::detail {
namespace {

constexpr std::size_t kFirstRead = 4096;    // holds the header of most shards
constexpr std::size_t kMaxOpenFiles = 128;  // of all shards of the process
constexpr std::size_t kLimitShare = 4;      // at most that part of what it may open

std::atomic<std::size_t> open_files{0};

bool may_keep_open(Vfs& vfs) {
  return open_files.load(std::memory_order_relaxed) <
         std::min(kMaxOpenFiles, vfs.open_file_limit() / kLimitShare);
}

// A file that counts among the open ones as long as it lives.
class CountedFile final : public File {
 public:
  explicit CountedFile(std::unique_ptr<File> file) : file_(std::move(file)) {
    open_files.fetch_add(1, std::memory_order_relaxed);
  }
  ~CountedFile() override { open_files.fetch_sub(1, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t size() const override { return file_->size(); }
  std::size_t read_at(std::uint64_t offset, std::span<std::byte> out) const override {
    return file_->read_at(offset, out);
  }
  void write(std::span<const std::byte> data) override { file_->write(data); }
  void reserve(std::uint64_t bytes) override { file_->reserve(bytes); }
  void start_sync() override { file_->start_sync(); }
  void sync() override { file_->sync(); }
  bool lock() override { return file_->lock(); }
  void will_need(std::uint64_t offset, std::uint64_t bytes) const override {
    file_->will_need(offset, bytes);
  }

 private:
  std::unique_ptr<File> file_;
};

// The first half of a key as a number: keys are compared from their first byte on.
std::uint64_t leading(const RowKey& key) noexcept {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i) value = (value << 8) | key.bytes[i];
  return value;
}

// Where in low .. high - 1 a key with leading digits `wanted` should be, if keys are random.
std::uint64_t guess(std::uint64_t low, std::uint64_t high, std::uint64_t low_digits,
                    std::uint64_t high_digits, std::uint64_t wanted) noexcept {
  if (wanted <= low_digits || high_digits <= low_digits) return low;
  const double share =
      static_cast<double>(wanted - low_digits) / static_cast<double>(high_digits - low_digits);
  const auto step = static_cast<std::uint64_t>(share * static_cast<double>(high - low));
  return low + std::min(step, high - low - 1);
}

}  // namespace

bool is_shard_name(std::string_view name) noexcept {
  return name.ends_with(kShardSuffix) && !name.starts_with('.') &&
         name.size() > kShardSuffix.size();
}

std::array<std::uint8_t, kSealBytes> seal_of(const ShardLayout& layout, const Checks& checks) {
  Sha256 sha;
  sha.update(layout.head.data(), layout.head.size());
  for (const auto& crcs : checks.crcs) sha.update(crcs.data(), crcs.size() * kCrcBytes);
  return sha.finish();
}

Shard::Shard(Vfs& vfs, const std::string& folder, std::string name, Budget budget)
    : vfs_(vfs), name_(std::move(name)), path_(folder + "/" + name_), budget_(std::move(budget)) {
  std::unique_ptr<File> file = vfs.open_read(path_);
  const std::uint64_t size = file->size();
  std::string head(kFirstRead, '\0');
  head.resize(file->read_at(0, std::as_writable_bytes(std::span(head))));
  const std::uint64_t head_bytes = head_size(
      std::as_bytes(std::span(head).first(std::min<std::size_t>(8, head.size()))), size, path_);
  const std::size_t known = std::min<std::size_t>(head.size(), head_bytes);
  head.resize(head_bytes);
  read_exactly(*file, known, std::as_writable_bytes(std::span(head)).subspan(known));
  layout_ = read_layout(head, size, path_);
  residents_.resize(layout_.columns.size());
  rows_read_.resize(layout_.columns.size());
  keep(std::move(file));
}

Shard::Shard(Vfs& vfs, const std::string& folder, WrittenShard written, Budget budget)
    : vfs_(vfs),
      name_(std::move(written.name)),
      path_(folder + "/" + name_),
      layout_(std::move(written.layout)),
      checks_(std::make_shared<const Checks>(std::move(written.checks))),
      budget_(std::move(budget)),
      residents_(layout_.columns.size()),
      rows_read_(layout_.columns.size()) {}

void Shard::keep(std::unique_ptr<File> file) const {
  if (!may_keep_open(vfs_)) return;
  file_ = std::make_shared<CountedFile>(std::move(file));
}

std::shared_ptr<const File> Shard::file() const {
  const std::scoped_lock lock(mutex_);
  if (file_) return file_;
  std::unique_ptr<File> opened = vfs_.open_read(path_);
  const std::uint64_t size = opened->size();
  if (size != layout_.file_bytes) {
    throw ShardDamage(path_, "it is " + std::to_string(size) + " bytes long and should be " +
                                 std::to_string(layout_.file_bytes));
  }
  if (!may_keep_open(vfs_)) return opened;
  keep(std::move(opened));
  return file_;
}

void Shard::close_file() const {
  const std::scoped_lock lock(mutex_);
  file_.reset();
}

void Shard::read_exactly(const File& file, std::uint64_t offset, std::span<std::byte> out) const {
  const std::size_t got = file.read_at(offset, out);
  if (got != out.size()) {
    throw ShardDamage(path_, "it ends at byte " + std::to_string(offset + got));
  }
}

std::vector<RowKey> Shard::read_keys() const {
  std::vector<RowKey> keys(layout_.rows);
  read_exactly(*file(), layout_.key_offset, std::as_writable_bytes(std::span(keys)));
  return keys;
}

std::optional<std::uint32_t> Shard::search(const RowKey& key) const {
  constexpr int kGuesses = 8;  // random keys need fewer; for others halving takes over
  const std::shared_ptr<const File> opened = file();
  std::uint64_t low = 0;
  std::uint64_t high = layout_.rows;
  std::uint64_t low_digits = 0;
  std::uint64_t high_digits = UINT64_MAX;
  for (int step = 0; low < high; ++step) {
    const std::uint64_t at = step < kGuesses
                                 ? guess(low, high, low_digits, high_digits, leading(key))
                                 : low + (high - low) / 2;
    std::uint32_t row = 0;
    read_exactly(*opened, layout_.order_offset + at * kOrderBytes,
                 std::as_writable_bytes(std::span(&row, 1)));
    if (row >= layout_.rows) {
      throw ShardDamage(path_, "its order names row " + std::to_string(row));
    }
    RowKey found;
    read_exactly(*opened, layout_.key_offset + row * kKeyBytes,
                 std::as_writable_bytes(std::span(&found, 1)));
    if (found == key) return row;
    if (found < key) {
      low = at + 1;
      low_digits = leading(found);
    } else {
      high = at;
      high_digits = leading(found);
    }
  }
  return std::nullopt;
}

Checks Shard::read_checks(const File& file) const {
  Checks checks;
  for (const ColumnLayout& column : layout_.columns) {
    auto& crcs = checks.crcs.emplace_back(layout_.rows);
    read_exactly(file, column.crc_offset, std::as_writable_bytes(std::span(crcs)));
    auto& offsets = checks.offsets.emplace_back();
    if (!column.spec.ragged) continue;
    offsets.resize(layout_.rows + 1);
    read_exactly(file, column.offsets_offset, std::as_writable_bytes(std::span(offsets)));
    if (offsets.front() != 0 || !std::is_sorted(offsets.begin(), offsets.end()) ||
        static_cast<std::uint64_t>(offsets.back()) != column.vectors) {
      throw ShardDamage(path_, "the offsets of column '" + column.spec.name + "' are wrong");
    }
  }
  Sha256Digest seal{};
  read_exactly(file, layout_.seal_offset, std::as_writable_bytes(std::span(seal)));
  if (seal != seal_of(layout_, checks)) {
    throw ShardDamage(path_, "its seal does not match its header and checksums");
  }
  return checks;
}

std::shared_ptr<const Checks> Shard::checks(const File& file) const {
  {
    const std::scoped_lock lock(mutex_);
    if (checks_) return checks_;
  }
  auto read = std::make_shared<const Checks>(read_checks(file));
  const std::scoped_lock lock(mutex_);
  checks_ = std::move(read);
  return checks_;
}

void Shard::read_lengths(const ColumnLayout& column, std::span<const WantedRow> wanted,
                         std::span<std::int64_t> out) const {
  const std::shared_ptr<const Checks> known = checks(*file());
  const auto& offsets = known->offsets[number(column)];
  for (const WantedRow& each : wanted) {
    out[each.to] = column.spec.ragged ? offsets[each.row + 1] - offsets[each.row] : 1;
  }
}

void Shard::block_offsets(const ColumnLayout& column, std::uint64_t first,
                          std::span<std::int64_t> out) const {
  const std::shared_ptr<const Checks> known = checks(*file());
  const auto& offsets = known->offsets[number(column)];
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = offsets[first + i] - offsets[first];
}

// Reads vectors that follow each other in the file by one call, straight to where they go when
// they follow each other there, too.
void Shard::read_values(const File& file, const ColumnLayout& column, const Checks& checks,
                        std::span<const WantedRow> wanted, const RowBuffers& out) const {
  const auto& offsets = checks.offsets[number(column)];
  const bool ragged = column.spec.ragged;
  std::vector<std::byte> scratch;
  const auto read = [&](std::span<const WantedRow> run, VectorRange from, std::uint64_t start,
                        std::uint64_t size, std::byte* to, bool in_place) {
    const std::uint64_t offset = start + from.from * size;
    const std::size_t bytes = from.size() * size;
    if (bytes == 0) return;
    if (in_place) {
      const std::size_t place = vectors_of(out.offsets, ragged, run.front().to).from;
      read_exactly(file, offset, {to + place * size, bytes});
      return;
    }
    scratch.resize(bytes);
    read_exactly(file, offset, scratch);
    for (const WantedRow& each : run) {
      const VectorRange mine = vectors_of(offsets, ragged, each.row);
      const VectorRange place = vectors_of(out.offsets, ragged, each.to);
      if (mine.size() == 0) continue;
      std::memcpy(to + place.from * size, scratch.data() + (mine.from - from.from) * size,
                  mine.size() * size);
    }
  };
  while (!wanted.empty()) {
    std::size_t count = 1;
    bool in_place = true;
    while (count < wanted.size() && wanted[count].row == wanted[count - 1].row + 1) {
      in_place &= wanted[count].to == wanted[count - 1].to + 1;
      ++count;
    }
    const auto run = wanted.first(count);
    wanted = wanted.subspan(count);
    const VectorRange from{vectors_of(offsets, ragged, run.front().row).from,
                           vectors_of(offsets, ragged, run.back().row).to};
    read(run, from, column.values_offset, column.vector_bytes, out.values.data(), in_place);
    if (column.scaled()) {
      auto* scales = reinterpret_cast<std::byte*>(out.scales.data());
      read(run, from, column.scale_offset, kScaleBytes, scales, in_place);
    }
  }
}

void Shard::compare(const ColumnLayout& column, const Checks& checks,
                    std::span<const WantedRow> wanted, std::span<const RowKey> keys,
                    const RowBuffers& out) const {
  constexpr std::size_t kGroup = 64;
  const auto& offsets = checks.offsets[number(column)];
  const auto& crcs = checks.crcs[number(column)];
  std::array<RowParts, kGroup> parts;
  std::array<std::uint32_t, kGroup> actual{};
  for (std::size_t start = 0; start < wanted.size(); start += kGroup) {
    const auto group = wanted.subspan(start, std::min(kGroup, wanted.size() - start));
    for (std::size_t i = 0; i < group.size(); ++i) {
      const VectorRange place = vectors_of(out.offsets, column.spec.ragged, group[i].to);
      RowParts& row = parts[i];
      row.key = &keys[group[i].to];
      row.offsets = column.spec.ragged ? offsets.data() + group[i].row : nullptr;
      row.scales = column.scaled() ? out.scales.data() + place.from : nullptr;
      row.scale_bytes = column.scaled() ? place.size() * kScaleBytes : 0;
      row.values = out.values.data() + place.from * column.vector_bytes;
      row.value_bytes = place.size() * column.vector_bytes;
    }
    row_crcs(std::span(parts).first(group.size()), actual);
    for (std::size_t i = 0; i < group.size(); ++i) {
      if (actual[i] == crcs[group[i].row]) continue;
      throw ShardDamage(path_, "row " + std::to_string(group[i].row) + " of column '" +
                                   column.spec.name + "' does not match its checksum");
    }
  }
}

void Shard::read_rows(const Context& context, const ColumnLayout& column,
                      std::span<WantedRow> wanted, std::span<const RowKey> keys,
                      const RowBuffers& out) const {
  const std::shared_ptr<const File> opened = file();
  const std::shared_ptr<const Checks> known = checks(*opened);
  const auto& offsets = known->offsets[number(column)];
  if (column.spec.ragged) {
    for (const WantedRow& each : wanted) {
      if (out.offsets[each.to + 1] - out.offsets[each.to] !=
          offsets[each.row + 1] - offsets[each.row]) {
        throw Error(ErrorKind::kInvalid, "the offsets given are not the lengths of the rows");
      }
    }
  }
  const std::shared_ptr<const Resident> kept = resident(context, column, wanted.size());
  // By place next, so that rows wanted twice in a row order still make runs that ascend. In memory
  // any order is as good, and then the caller's rows are written in sequence.
  const auto before = [](const WantedRow& a, const WantedRow& b) {
    return a.row != b.row ? a.row < b.row : a.to < b.to;
  };
  if (!kept && !std::is_sorted(wanted.begin(), wanted.end(), before)) {
    std::sort(wanted.begin(), wanted.end(), before);
  }
  const std::uint64_t vectors = std::max<std::uint64_t>(1, column.vectors / layout_.rows);
  const std::uint64_t row_bytes = std::max<std::uint64_t>(1, vectors * column.vector_bytes);
  const std::uint64_t step = std::max<std::uint64_t>(1, kTaskBytes / row_bytes);
  parallel_for(context, (wanted.size() + step - 1) / step, [&](std::size_t task) {
    const auto rest = wanted.subspan(task * step);
    const auto mine = rest.first(std::min<std::size_t>(rest.size(), step));
    if (kept) {
      copy_rows(*kept, column, offsets, mine, keys, out);
      return;
    }
    read_values(*opened, column, *known, mine, out);
    compare(column, *known, mine, keys, out);
  });
}

void Shard::read_block(const Context& context, const ColumnLayout& column, std::uint64_t first,
                       std::span<RowKey> keys, const RowBuffers& out) const {
  read_exactly(*file(), layout_.key_offset + first * kKeyBytes, std::as_writable_bytes(keys));
  std::vector<WantedRow> wanted(keys.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    wanted[i] = {static_cast<std::uint32_t>(first + i), i};
  }
  read_rows(context, column, wanted, keys, out);
}

void Shard::will_need(const ColumnLayout& column, std::uint64_t first, std::uint64_t rows) const {
  const std::shared_ptr<const File> opened = file();
  const auto& offsets = checks(*opened)->offsets[number(column)];
  const std::uint64_t from = vectors_of(offsets, column.spec.ragged, first).from;
  const std::uint64_t to = vectors_of(offsets, column.spec.ragged, first + rows - 1).to;
  opened->will_need(column.values_offset + from * column.vector_bytes,
                    (to - from) * column.vector_bytes);
}

std::unique_ptr<Mapping> Shard::map() const {
  std::unique_ptr<Mapping> mapping = vfs_.map(path_);
  if (mapping->bytes().size() != layout_.file_bytes) {
    throw ShardDamage(path_, "it is " + std::to_string(mapping->bytes().size()) +
                                 " bytes long and should be " + std::to_string(layout_.file_bytes));
  }
  return mapping;
}

}  // namespace zoo::detail
