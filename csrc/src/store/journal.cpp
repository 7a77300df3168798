#include "store/journal.hpp"

#include <array>
#include <cstring>
#include <optional>
#include <vector>

#include "store/checked.hpp"
#include "store/crc32c.hpp"
#include "store/layout.hpp"
#include "store/table.hpp"
#include "zoo/error.hpp"

namespace zoo::detail {
namespace {

constexpr std::array<char, 16> kMagic = {'z', 'o', 'o', '.', 'j', 'o', 'u',
                                         'r', 'n', 'a', 'l', '.', '1', '\n'};
constexpr std::uint32_t kBatchMagic = 0x31424A5Au;  // "ZJB1"

struct BatchHead {
  std::uint32_t magic = kBatchMagic;
  std::uint32_t crc = 0;  // over all that follows it, begun with seed()
  std::uint64_t columns_bytes = 0;
  std::uint64_t body_bytes = 0;
  std::uint64_t rows = 0;
};
static_assert(sizeof(BatchHead) == 32);
constexpr std::size_t kUnchecked = 8;  // magic and crc

struct ColumnHead {
  std::uint64_t dim = 0;
  std::uint64_t vectors = 0;
  std::uint8_t dtype = 0;
  std::uint8_t ragged = 0;
  std::uint16_t name_bytes = 0;
  std::uint32_t zero = 0;
};
static_assert(sizeof(ColumnHead) == 24);

std::string_view stem_of(std::string_view name) {
  return name.substr(0, name.rfind('.'));  // the same before and after the journal is taken over
}

// After a loss of power the file may end in blocks of another journal that was deleted: what is
// sound in its own place must not be so here.
std::uint32_t seed(std::string_view name, std::uint64_t number) {
  const std::string_view stem = stem_of(name);
  return crc32c(crc32c(0, stem.data(), stem.size()), &number, sizeof number);
}

void append_bytes(std::string& out, const void* data, std::size_t size) {
  out.append(static_cast<const char*>(data), size);
}

// Reads forward, and adds what it read to a checksum.
class Reader {
 public:
  Reader(const File& file, std::uint64_t at, std::uint32_t crc) : file_(file), at_(at), crc_(crc) {}

  template <typename T>
  [[nodiscard]] bool fill(std::vector<T>& out, std::uint64_t count) {
    out.resize(static_cast<std::size_t>(count));
    return fill(std::as_writable_bytes(std::span(out)));
  }
  [[nodiscard]] bool fill(std::span<std::byte> out) {
    if (file_.read_at(at_, out) != out.size()) return false;
    at_ += out.size();
    crc_ = crc32c(crc_, out.data(), out.size());
    return true;
  }
  [[nodiscard]] std::uint32_t crc() const noexcept { return crc_; }

 private:
  const File& file_;
  std::uint64_t at_;
  std::uint32_t crc_;
};

// The bytes of a column's parts, or nothing where they do not fit 64 bits.
std::optional<std::uint64_t> column_bytes(const SizedColumn& column, std::uint64_t rows) {
  const auto vector = checked_mul(column.spec.dim, dtype_size(column.spec.dtype));
  auto total = vector ? checked_mul(column.vectors, *vector) : vector;
  if (total && column.spec.dtype == DType::kI8) {
    const auto scales = checked_mul(column.vectors, kScaleBytes);
    total = scales ? checked_add(*total, *scales) : scales;
  }
  if (total && column.spec.ragged) {
    const auto offsets = checked_mul(rows + 1, kOffsetBytes);
    total = offsets ? checked_add(*total, *offsets) : offsets;
  }
  return total;
}

std::optional<std::vector<SizedColumn>> parse_columns(std::string_view text,
                                                      const BatchHead& head) {
  std::vector<SizedColumn> columns;
  auto body = checked_mul(head.rows, kKeyBytes);
  while (!text.empty()) {
    ColumnHead column;
    if (text.size() < sizeof column || columns.size() == kMaxColumns) return std::nullopt;
    std::memcpy(&column, text.data(), sizeof column);
    text.remove_prefix(sizeof column);
    if (column.name_bytes > text.size() || column.dtype > static_cast<int>(DType::kI8) ||
        column.ragged > 1 || (column.ragged == 0 && column.vectors != head.rows)) {
      return std::nullopt;
    }
    columns.push_back({{std::string(text.substr(0, column.name_bytes)),
                        static_cast<DType>(column.dtype), column.dim, column.ragged == 1},
                       column.vectors});
    text.remove_prefix(column.name_bytes);
    const auto bytes = column_bytes(columns.back(), head.rows);
    body = body && bytes ? checked_add(*body, *bytes) : std::nullopt;
  }
  if (!body || *body != head.body_bytes) return std::nullopt;
  return columns;
}

struct ColumnData {
  std::vector<std::int64_t> offsets;
  std::vector<std::byte> values;
  std::vector<float> scales;
};

// Reads the batch at `at`; returns its size, or 0 where there is no whole one. No part is larger
// than the file, whatever the batch claims.
std::uint64_t read_batch(
    const File& file, std::uint64_t file_bytes, std::uint64_t at, std::uint32_t start,
    const std::function<void(std::span<const RowKey>, std::span<const ColumnRows>)>& take) {
  BatchHead head;
  if (file_bytes - at < sizeof head) return 0;
  Reader reader(file, at + kUnchecked, start);
  std::array<std::byte, kUnchecked> unchecked{};
  if (file.read_at(at, unchecked) != unchecked.size()) return 0;
  std::memcpy(&head.magic, unchecked.data(), sizeof head.magic);
  std::memcpy(&head.crc, unchecked.data() + sizeof head.magic, sizeof head.crc);
  const std::span rest(reinterpret_cast<std::byte*>(&head) + kUnchecked, sizeof head - kUnchecked);
  if (head.magic != kBatchMagic || !reader.fill(rest)) return 0;
  const std::uint64_t left = file_bytes - at - sizeof head;
  if (head.rows == 0 || head.rows > kMaxRows || head.columns_bytes > left ||
      head.columns_bytes > kMaxHeader || head.body_bytes > left - head.columns_bytes) {
    return 0;
  }
  std::string text(head.columns_bytes, '\0');
  if (!reader.fill(std::as_writable_bytes(std::span(text)))) return 0;
  const auto columns = parse_columns(text, head);
  if (!columns) return 0;
  std::vector<RowKey> keys;
  if (!reader.fill(keys, head.rows)) return 0;
  std::vector<ColumnData> data(columns->size());
  std::vector<ColumnRows> given;
  for (std::size_t c = 0; c < columns->size(); ++c) {
    const auto& [spec, vectors] = (*columns)[c];
    ColumnData& part = data[c];
    if (spec.ragged && !reader.fill(part.offsets, head.rows + 1)) return 0;
    if (!reader.fill(part.values, vectors * spec.dim * dtype_size(spec.dtype))) return 0;
    if (spec.dtype == DType::kI8 && !reader.fill(part.scales, vectors)) return 0;
    given.push_back({spec, part.values, part.offsets, part.scales});
  }
  if (reader.crc() != head.crc) return 0;
  std::vector<ColumnSpec> specs;
  for (const ColumnRows& each : given) {
    specs.push_back(each.spec);
    if (!rows_problem(each, keys.size()).empty()) return 0;
  }
  if (!column_problem(specs).empty()) return 0;
  take(keys, given);
  return sizeof head + head.columns_bytes + head.body_bytes;
}

}  // namespace

bool is_journal_name(std::string_view name) noexcept {
  return !name.starts_with('.') &&
         (name.ends_with(kJournalSuffix) || name.ends_with(kRecoverSuffix));
}

Journal::Journal(Vfs& vfs, const std::string& folder)
    : vfs_(vfs),
      name_(vfs.unique_stem() + std::string(kJournalSuffix)),
      path_(folder + "/" + name_),
      file_(vfs.create(path_)) {
  // Another may have it, who found the file between these two calls: then the first write tells.
  (void)file_->lock();
  try {
    file_->write(std::as_bytes(std::span(kMagic)));
  } catch (...) {
    try {
      remove();
    } catch (const Error&) {  // an empty journal is not damage
    }
    throw;
  }
}

bool Journal::write(std::span<const RowKey> keys, std::span<const ColumnRows> columns) {
  std::string text(sizeof(BatchHead), '\0');
  BatchHead head;
  head.rows = keys.size();
  std::vector<std::span<const std::byte>> body{std::as_bytes(keys)};
  for (const ColumnRows& column : columns) {
    ColumnHead described;
    described.dim = column.spec.dim;
    described.vectors = column.spec.ragged ? static_cast<std::uint64_t>(column.offsets.back())
                                           : static_cast<std::uint64_t>(keys.size());
    described.dtype = static_cast<std::uint8_t>(column.spec.dtype);
    described.ragged = column.spec.ragged ? 1 : 0;
    described.name_bytes = static_cast<std::uint16_t>(column.spec.name.size());
    append_bytes(text, &described, sizeof described);
    append_bytes(text, column.spec.name.data(), column.spec.name.size());
    body.push_back(std::as_bytes(column.offsets));
    body.push_back(column.values);
    body.push_back(std::as_bytes(column.scales));
  }
  head.columns_bytes = text.size() - sizeof head;
  for (const auto part : body) head.body_bytes += part.size();
  std::memcpy(text.data(), &head, sizeof head);
  head.crc = crc32c(seed(name_, batches_), text.data() + kUnchecked, text.size() - kUnchecked);
  for (const auto part : body) head.crc = crc32c(head.crc, part.data(), part.size());
  std::memcpy(text.data(), &head, sizeof head);

  file_->write(std::as_bytes(std::span(text)));
  for (const auto part : body) {
    if (!part.empty()) file_->write(part);
  }
  ++batches_;
  return vfs_.exists(path_);
}

void Journal::remove() {
  try {
    vfs_.remove(path_);
  } catch (const Error& error) {
    if (!is_not_found(error.os_code())) throw;
  }
}

void read_journal(
    const File& file, std::string_view name,
    const std::function<void(std::span<const RowKey>, std::span<const ColumnRows>)>& take) {
  const std::uint64_t bytes = file.size();
  std::array<char, kMagic.size()> magic{};
  if (file.read_at(0, std::as_writable_bytes(std::span(magic))) != magic.size() ||
      magic != kMagic) {
    return;
  }
  std::uint64_t at = kMagic.size();
  for (std::uint64_t number = 0; at < bytes; ++number) {
    const std::uint64_t size = read_batch(file, bytes, at, seed(name, number), take);
    if (size == 0) return;
    at += size;
  }
}

}  // namespace zoo::detail
