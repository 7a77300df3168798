// The store over its shards. One long file, because it is one class under one lock: parts of it
// would share all of its state. What needs no lock stands in shard, layout and row_index.
#include "zoo/store.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <map>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <utility>

#include "runtime/parallel.hpp"
#include "runtime/vfs.hpp"
#include "store/damage.hpp"
#include "store/row_index.hpp"
#include "store/shard.hpp"
#include "zoo/error.hpp"

namespace zoo {
namespace {

using detail::RowIndex;
using detail::RowPlace;
using detail::Shard;
using detail::ShardDamage;
using detail::WantedRow;

constexpr std::uint32_t kBuffered = std::numeric_limits<std::uint32_t>::max();  // as a shard number

std::string quoted(std::string_view column) { return "column '" + std::string(column) + "'"; }

std::string describe(const ColumnSpec& spec) {
  return std::string(dtype_name(spec.dtype)) + " x " + std::to_string(spec.dim);
}

// Rows of one column that no shard holds yet.
struct Buffer {
  std::vector<RowKey> keys;
  std::vector<std::byte> values;
  std::uint64_t since_ns = 0;  // when the first of them came
};

struct Column {
  ColumnSpec spec;
  RowIndex index;
  Buffer buffer;
  [[nodiscard]] std::size_t row_bytes() const { return spec.dim * dtype_size(spec.dtype); }
};

}  // namespace

// A column's rows are sealed into shards of their own. One shard for all columns of an append would
// hold the keys once, but a row's checksum covers all its columns, so that reading one of them
// would have to read the others: a pooled column would pay for a token column.
class Store::Impl {
 public:
  Impl(std::string folder, const StoreOptions& options)
      : folder_(std::move(folder)),
        options_(options),
        vfs_(options.vfs != nullptr ? *options.vfs : system_vfs()) {
    load(shard_names());
  }

  void contains(std::span<const RowKey> keys, std::string_view name,
                std::span<std::uint8_t> out) const {
    if (keys.size() != out.size()) throw Error(ErrorKind::kInvalid, "out must have a byte a key");
    const std::shared_lock lock(mutex_);
    const auto found = columns_.find(name);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      out[i] = found != columns_.end() && found->second.index.find(keys[i]) != nullptr ? 1 : 0;
    }
  }

  std::size_t append(const Context& context, std::span<const RowKey> keys,
                     std::span<const ColumnRows> given) {
    const std::unique_lock lock(mutex_);
    if (closed_) throw Error(ErrorKind::kInvalid, "the store is closed");
    check_append(keys, given);
    if (keys.empty()) return 0;  // makes no column, so fixes no dtype
    std::size_t taken = 0;
    for (const ColumnRows& each : given) {
      Column& column =
          columns_.try_emplace(each.spec.name, Column{each.spec, {}, {}}).first->second;
      taken += append_column(context, column, keys, each.values);
    }
    return taken;
  }

  std::size_t gather(const Context& context, std::span<const RowKey> keys, std::string_view name,
                     std::span<std::byte> out) const {
    const std::shared_lock lock(mutex_);
    const auto found = columns_.find(name);
    if (found == columns_.end()) return keys.size();
    const Column& column = found->second;
    const std::size_t row_bytes = column.row_bytes();
    if (out.size() % row_bytes != 0 || out.size() / row_bytes != keys.size()) {
      throw Error(ErrorKind::kInvalid, "out must have " + std::to_string(row_bytes) +
                                           " bytes a key for " + quoted(name));
    }
    std::map<std::uint32_t, std::vector<WantedRow>> wanted;
    std::size_t missing = 0;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const RowPlace* place = column.index.find(keys[i]);
      if (place == nullptr) {
        ++missing;
      } else {
        wanted[place->shard].push_back({place->row, i});
      }
    }
    if (missing > 0) return missing;
    for (auto& [number, rows] : wanted) {
      context.check();
      if (number == kBuffered) {
        for (const WantedRow& each : rows) {
          std::memcpy(out.data() + each.to * row_bytes,
                      column.buffer.values.data() + each.row * row_bytes, row_bytes);
        }
        continue;
      }
      // By place next, so that rows wanted twice in a row order still make runs that ascend.
      std::sort(rows.begin(), rows.end(), [](const WantedRow& a, const WantedRow& b) {
        return a.row != b.row ? a.row < b.row : a.to < b.to;
      });
      const Shard& shard = *shards_[number];
      shard.read_rows(context, vfs_, *shard.layout().find(name), rows, keys, out.data());
    }
    return 0;
  }

  void flush(const Context& context) {
    const std::unique_lock lock(mutex_);
    for (auto& [name, column] : columns_) seal(context, column);
  }

  void close(const Context& context) {
    flush(context);
    const std::unique_lock lock(mutex_);
    closed_ = true;
    for (auto& [name, column] : columns_) {
      if (column.buffer.keys.empty()) column.buffer = {};
    }
  }

  void refresh() {
    const std::unique_lock lock(mutex_);
    std::vector<std::string> names = shard_names();
    const std::set<std::string_view> present(names.begin(), names.end());
    const auto gone = [&](const auto& known) { return !present.contains(known); };
    const bool removed = std::any_of(shards_.begin(), shards_.end(),
                                     [&](const auto& shard) { return gone(shard->name()); }) ||
                         std::any_of(damaged_.begin(), damaged_.end(),
                                     [&](const Damage& damage) { return gone(damage.shard); });
    if (removed) {
      reload(names);
      return;
    }
    std::erase_if(names, [&](const std::string& name) { return known_.contains(name); });
    load(names);
  }

  std::vector<ColumnInfo> columns() const {
    const std::shared_lock lock(mutex_);
    std::vector<ColumnInfo> out;
    for (const auto& [name, column] : columns_) out.push_back({column.spec, column.index.size()});
    return out;
  }

  std::vector<Damage> damaged() const {
    const std::shared_lock lock(mutex_);
    return damaged_;
  }

  std::size_t shard_count() const {
    const std::shared_lock lock(mutex_);
    return shards_.size();
  }

  std::uint64_t byte_count() const {
    const std::shared_lock lock(mutex_);
    std::uint64_t bytes = 0;
    for (const auto& shard : shards_) bytes += shard->layout().file_bytes;
    return bytes;
  }

  const std::string& folder() const noexcept { return folder_; }

  VerifyReport verify(const Context& context) const {
    const std::vector<std::string> names = shard_names();
    struct Finding {
      bool counted = false;
      std::uint64_t rows = 0;
      std::uint64_t bytes = 0;
      std::string why;
    };
    std::vector<Finding> findings(names.size());
    Context inner;  // polls on the calling thread alone, which parallel_for sees to
    parallel_for(context, names.size(), [&](std::size_t i) {
      Finding& finding = findings[i];
      try {
        finding.bytes = vfs_.open_read(folder_ + "/" + names[i])->size();
        finding.counted = true;
        const Shard shard(vfs_, folder_, names[i]);
        shard.verify(context.threads > 1 ? inner : context, vfs_);
        finding.rows = shard.layout().rows;
      } catch (const ShardDamage& damage) {
        finding.why = damage.why();
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::kIo) throw;
        if (!finding.counted && is_not_found(error.os_code())) return;  // removed meanwhile
        finding.counted = true;
        finding.why = error.what();
      }
    });
    VerifyReport report;
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (!findings[i].counted) continue;
      ++report.shards;
      report.rows += findings[i].rows;
      report.bytes += findings[i].bytes;
      if (!findings[i].why.empty()) report.damaged.push_back({names[i], findings[i].why});
    }
    return report;
  }

 private:
  [[nodiscard]] std::vector<std::string> shard_names() const {
    std::vector<std::string> names = vfs_.list(folder_);
    std::erase_if(names, [](const std::string& name) { return !detail::is_shard_name(name); });
    return names;
  }

  void check_append(std::span<const RowKey> keys, std::span<const ColumnRows> given) const {
    std::vector<ColumnSpec> specs;
    for (const ColumnRows& each : given) specs.push_back(each.spec);
    const std::string problem = detail::column_problem(specs);
    if (!problem.empty()) throw Error(ErrorKind::kInvalid, problem);
    for (const ColumnRows& each : given) {
      const detail::ShardLayout layout = detail::plan_layout(keys.size(), {&each.spec, 1});
      if (each.values.size() != keys.size() * layout.columns[0].row_bytes) {
        throw Error(ErrorKind::kInvalid, quoted(each.spec.name) + " needs a row a key");
      }
      const auto found = columns_.find(each.spec.name);
      if (found != columns_.end() && found->second.spec != each.spec) {
        throw Error(ErrorKind::kInvalid, quoted(each.spec.name) + " holds " +
                                             describe(found->second.spec) + ", not " +
                                             describe(each.spec));
      }
    }
  }

  std::size_t append_column(const Context& context, Column& column, std::span<const RowKey> keys,
                            std::span<const std::byte> values) {
    const std::size_t row_bytes = column.row_bytes();
    Buffer& buffer = column.buffer;
    std::size_t taken = 0;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (column.index.find(keys[i]) != nullptr) continue;
      if (is_full(buffer)) seal(context, column);
      if (buffer.keys.empty()) buffer.since_ns = vfs_.monotonic_ns();
      const auto row = values.subspan(i * row_bytes, row_bytes);
      // Room first, then the changes, which no longer throw: a failure leaves the three in step.
      column.index.reserve(1);
      make_room(buffer, row_bytes);
      buffer.values.insert(buffer.values.end(), row.begin(), row.end());
      buffer.keys.push_back(keys[i]);
      bool added = false;
      column.index.add(keys[i], {kBuffered, static_cast<std::uint32_t>(buffer.keys.size() - 1)},
                       added);
      ++taken;
    }
    if (is_full(buffer) || is_old(buffer)) seal(context, column);
    return taken;
  }

  // Doubles, but not past a full shard: the buffer is as large as what it is for.
  void make_room(Buffer& buffer, std::size_t row_bytes) const {
    if (buffer.keys.size() == buffer.keys.capacity()) {
      buffer.keys.reserve(std::max<std::size_t>(16, 2 * buffer.keys.size()));
    }
    const std::size_t needed = buffer.values.size() + row_bytes;
    if (needed <= buffer.values.capacity()) return;
    const std::size_t full = static_cast<std::size_t>(options_.shard_bytes) + row_bytes;
    buffer.values.reserve(std::max(needed, std::min(2 * buffer.values.capacity(), full)));
  }

  [[nodiscard]] bool is_full(const Buffer& buffer) const {
    return !buffer.keys.empty() &&
           (buffer.values.size() >= options_.shard_bytes || buffer.keys.size() >= detail::kMaxRows);
  }

  [[nodiscard]] bool is_old(const Buffer& buffer) const {
    return !buffer.keys.empty() && vfs_.monotonic_ns() - buffer.since_ns >= options_.seal_ns;
  }

  // Makes the buffer a shard. The buffer is let go only after the shard is durable.
  void seal(const Context& context, Column& column) {
    Buffer& buffer = column.buffer;
    if (buffer.keys.empty()) return;
    const ColumnRows rows{column.spec, buffer.values};
    auto shard = std::make_unique<Shard>(
        folder_, detail::write_shard(context, vfs_, folder_, buffer.keys, {&rows, 1}));
    known_.insert(shard->name());
    shards_.push_back(std::move(shard));
    index_rows(column, buffer.keys, static_cast<std::uint32_t>(shards_.size() - 1));
    buffer.keys.clear();  // keeps its memory: mapping a shard's worth anew costs more than a copy
    buffer.values.clear();
  }

  // The lower shard name wins; rows in the buffer lose against any shard.
  void index_rows(Column& column, std::span<const RowKey> keys, std::uint32_t number) {
    const std::string& name = shards_[number]->name();
    column.index.reserve(keys.size());
    for (std::size_t row = 0; row < keys.size(); ++row) {
      const RowPlace place{number, static_cast<std::uint32_t>(row)};
      bool added = false;
      RowPlace& held = column.index.add(keys[row], place, added);
      if (added || held.shard == number) continue;
      if (held.shard == kBuffered || name < shards_[held.shard]->name()) held = place;
    }
  }

  void load(const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      try {
        add_shard(name);
        known_.insert(name);
      } catch (const ShardDamage& damage) {
        damaged_.push_back({name, damage.why()});
        known_.insert(name);
      } catch (const Error& error) {
        // Removed since it was listed: not damage. Any other refusal of the system may pass, so it
        // must not make rows look absent.
        if (!is_not_found(error.os_code())) throw;
      }
    }
    std::sort(damaged_.begin(), damaged_.end(),
              [](const Damage& a, const Damage& b) { return a.shard < b.shard; });
  }

  void add_shard(const std::string& name) {
    auto shard = std::make_unique<Shard>(vfs_, folder_, name);
    for (const detail::ColumnLayout& each : shard->layout().columns) {
      const auto found = columns_.find(each.spec.name);
      if (found != columns_.end() && found->second.spec != each.spec) {
        throw ShardDamage(folder_ + "/" + name, quoted(each.spec.name) + " is " +
                                                    describe(each.spec) + " in it and " +
                                                    describe(found->second.spec) + " before it");
      }
    }
    const std::vector<RowKey> keys = shard->read_keys(vfs_);
    shards_.push_back(std::move(shard));
    const auto number = static_cast<std::uint32_t>(shards_.size() - 1);
    for (const detail::ColumnLayout& each : shards_[number]->layout().columns) {
      Column& column =
          columns_.try_emplace(each.spec.name, Column{each.spec, {}, {}}).first->second;
      index_rows(column, keys, number);
    }
  }

  // Starts anew from what the folder holds now; buffered rows stay.
  void reload(const std::vector<std::string>& names) {
    std::map<std::string, Column, std::less<>> before = std::exchange(columns_, {});
    shards_.clear();
    damaged_.clear();
    known_.clear();
    for (auto& [name, column] : before) {
      if (!column.buffer.keys.empty()) {
        Column& kept = columns_.try_emplace(name, Column{column.spec, {}, {}}).first->second;
        kept.buffer = std::move(column.buffer);
        for (std::size_t row = 0; row < kept.buffer.keys.size(); ++row) {
          bool added = false;
          kept.index.add(kept.buffer.keys[row], {kBuffered, static_cast<std::uint32_t>(row)},
                         added);
        }
      }
    }
    load(names);
  }

  std::string folder_;
  StoreOptions options_;
  Vfs& vfs_;
  mutable std::shared_mutex mutex_;
  std::map<std::string, Column, std::less<>> columns_;
  std::vector<std::unique_ptr<Shard>> shards_;  // in the order they were found
  std::vector<Damage> damaged_;
  std::set<std::string, std::less<>> known_;  // names in shards_ or damaged_
  bool closed_ = false;
};

Store::Store(std::string folder, StoreOptions options)
    : impl_(std::make_unique<Impl>(std::move(folder), options)) {}

Store::~Store() {
  if (!impl_) return;
  try {
    impl_->flush(Context{});
  } catch (...) {  // a destructor has nobody to tell
  }
}

Store::Store(Store&&) noexcept = default;

Store& Store::operator=(Store&& other) noexcept {
  std::swap(impl_, other.impl_);  // what this one held is sealed when `other` ends
  return *this;
}

void Store::contains(std::span<const RowKey> keys, std::string_view column,
                     std::span<std::uint8_t> out) const {
  impl_->contains(keys, column, out);
}

std::size_t Store::append(const Context& context, std::span<const RowKey> keys,
                          std::span<const ColumnRows> columns) {
  return impl_->append(context, keys, columns);
}

std::size_t Store::gather(const Context& context, std::span<const RowKey> keys,
                          std::string_view column, std::span<std::byte> out) const {
  return impl_->gather(context, keys, column, out);
}

void Store::flush(const Context& context) { impl_->flush(context); }
void Store::close(const Context& context) { impl_->close(context); }
void Store::refresh() { impl_->refresh(); }
std::vector<ColumnInfo> Store::columns() const { return impl_->columns(); }
std::vector<Damage> Store::damaged() const { return impl_->damaged(); }
std::size_t Store::shard_count() const { return impl_->shard_count(); }
std::uint64_t Store::byte_count() const { return impl_->byte_count(); }
const std::string& Store::folder() const noexcept { return impl_->folder(); }
VerifyReport Store::verify(const Context& context) const { return impl_->verify(context); }

}  // namespace zoo
