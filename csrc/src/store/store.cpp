// The store's reading side, and the public face over all of it.
#include "zoo/store.hpp"

#include <algorithm>
#include <utility>

#include "runtime/parallel.hpp"
#include "store/damage.hpp"
#include "store/store_impl.hpp"

namespace zoo {

using detail::Column;
using detail::RowPlace;
using detail::ShardDamage;
using detail::Source;
using detail::WantedRow;

Store::Impl::Impl(std::string folder, const StoreOptions& options)
    : folder_(std::move(folder)),
      options_(options),
      vfs_(options.vfs != nullptr ? *options.vfs : system_vfs()),
      budget_(options.resident_bytes > 0
                  ? std::make_shared<detail::ResidentBudget>(options.resident_bytes)
                  : nullptr),
      catalogue_(vfs_, folder_, budget_) {
  const auto names = robust([&](const std::string&) { return look_again(); });
  const std::scoped_lock writing(writing_);
  process_ = vfs_.process_id();
  recover(names);
}

std::vector<std::string> Store::Impl::look_again() const {
  constexpr int kTries = 100;
  for (int i = 0;; ++i) {
    std::uint64_t listed = 0;
    {
      const std::shared_lock lock(mutex_);
      listed = catalogue_.now();
    }
    std::vector<std::string> names = Catalogue::list(vfs_, folder_);
    const std::unique_lock lock(mutex_);
    if (catalogue_.update(names, listed) || i == kTries) return names;
  }
}

void Store::Impl::prepare(std::string_view column, std::size_t lookups) const {
  {
    const std::shared_lock lock(mutex_);
    const Column* found = catalogue_.find(column);
    if (found == nullptr || !Catalogue::wants_index(*found, lookups)) return;
  }
  const std::unique_lock lock(mutex_);
  catalogue_.index(column);
}

void Store::Impl::contains(std::span<const RowKey> keys, std::string_view name,
                           std::span<std::uint8_t> out) const {
  if (keys.size() != out.size()) throw Error(ErrorKind::kInvalid, "out must have a byte a key");
  robust([&](const std::string&) {
    prepare(name, keys.size());
    const std::shared_lock lock(mutex_);
    const Column* column = catalogue_.find(name);
    constexpr std::size_t kAhead = 16;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (column != nullptr && i + kAhead < keys.size()) column->index.prefetch(keys[i + kAhead]);
      out[i] = column != nullptr && catalogue_.place(*column, keys[i]) ? 1 : 0;
    }
  });
}

Store::Impl::Plan Store::Impl::plan(const Column& column, std::span<const RowKey> keys) const {
  Plan plan;
  std::vector<WantedRow>* last = nullptr;
  std::uint32_t last_source = 0;
  constexpr std::size_t kAhead = 16;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (i + kAhead < keys.size()) column.index.prefetch(keys[i + kAhead]);
    const std::optional<RowPlace> place = catalogue_.place(column, keys[i]);
    if (!place) {
      ++plan.missing;
      continue;
    }
    if (last == nullptr || place->source != last_source) {
      last = &plan.wanted[place->source];
      last_source = place->source;
    }
    last->push_back({place->row, i});
  }
  return plan;
}

std::size_t Store::Impl::lengths_once(std::span<const RowKey> keys, std::string_view name,
                                      std::span<std::int64_t> out) const {
  prepare(name, keys.size());
  std::vector<std::pair<std::shared_ptr<const Shard>, std::vector<WantedRow>>> reads;
  {
    const std::shared_lock lock(mutex_);
    const Column* column = catalogue_.find(name);
    if (column == nullptr) return keys.size();
    Plan wanted = plan(*column, keys);
    if (wanted.missing > 0) return wanted.missing;
    for (auto& [number, rows] : wanted.wanted) {
      const Source& source = catalogue_.source(number);
      if (source.shard) {
        reads.emplace_back(source.shard, std::move(rows));
        continue;
      }
      const std::size_t c = source.table->column(name);
      for (const WantedRow& each : rows) out[each.to] = source.table->length(c, each.row);
    }
  }
  for (const auto& [shard, rows] : reads) {
    shard->read_lengths(*shard->layout().find(name), rows, out);
  }
  return 0;
}

std::size_t Store::Impl::lengths(const Context& context, std::span<const RowKey> keys,
                                 std::string_view name, std::span<std::int64_t> out) const {
  if (keys.size() != out.size()) throw Error(ErrorKind::kInvalid, "out must have a number a key");
  context.check();
  return robust([&](const std::string& gone) {
    const std::size_t missing = lengths_once(keys, name, out);
    if (missing > 0 && !gone.empty()) throw Error(ErrorKind::kCorrupt, "a shard is gone: " + gone);
    return missing;
  });
}

std::size_t Store::Impl::gather_once(const Context& context, std::span<const RowKey> keys,
                                     std::string_view name, const RowBuffers& out) const {
  prepare(name, keys.size());
  std::vector<std::pair<std::shared_ptr<const Shard>, std::vector<WantedRow>>> reads;
  {
    const std::shared_lock lock(mutex_);
    const Column* column = catalogue_.find(name);
    if (column == nullptr) return keys.size();
    const ColumnSpec& spec = column->spec;
    if (out.offsets.size() != (spec.ragged ? keys.size() + 1 : 0)) {
      throw Error(ErrorKind::kInvalid, "ragged columns alone need offsets, one more than keys");
    }
    const ColumnRows shape{spec, out.values, out.offsets, out.scales};
    const std::string problem = detail::rows_problem(shape, keys.size());
    if (!problem.empty()) throw Error(ErrorKind::kInvalid, "out: " + problem);
    Plan wanted = plan(*column, keys);
    if (wanted.missing > 0) return wanted.missing;
    for (auto& [number, rows] : wanted.wanted) {
      const Source& source = catalogue_.source(number);
      if (source.shard) {
        reads.emplace_back(source.shard, std::move(rows));
        continue;
      }
      const std::size_t c = source.table->column(name);
      for (const WantedRow& each : rows) {
        const detail::VectorRange place = detail::vectors_of(out.offsets, spec.ragged, each.to);
        if (static_cast<std::int64_t>(place.size()) != source.table->length(c, each.row)) {
          throw Error(ErrorKind::kInvalid, "the offsets given are not the lengths of the rows");
        }
        source.table->copy_row(c, each.row, out, each.to);
      }
    }
  }
  // Many shards: a thread takes one after the other. Few: the threads share each.
  const Context alone;
  const bool many = reads.size() >= 4 * static_cast<std::size_t>(std::max(1, context.threads));
  const auto read = [&](std::size_t i, const Context& inner) {
    auto& [shard, rows] = reads[i];
    shard->read_rows(inner, *shard->layout().find(name), rows, keys, out);
  };
  if (many) {
    parallel_for(context, reads.size(), [&](std::size_t i) { read(i, alone); });
  } else {
    for (std::size_t i = 0; i < reads.size(); ++i) read(i, context);
  }
  return 0;
}

std::size_t Store::Impl::gather(const Context& context, std::span<const RowKey> keys,
                                std::string_view name, const RowBuffers& out) const {
  return robust([&](const std::string& gone) {
    const std::size_t missing = gather_once(context, keys, name, out);
    if (missing > 0 && !gone.empty()) throw Error(ErrorKind::kCorrupt, "a shard is gone: " + gone);
    return missing;
  });
}

void Store::Impl::will_need(const RowKey& first_key, const RowKey& last_key, std::size_t wanted,
                            std::string_view name) const noexcept {
  try {
    std::shared_ptr<const Shard> shard;
    std::uint64_t first = 0, rows = 0;
    {
      const std::shared_lock lock(mutex_);
      const Column* column = catalogue_.find(name);
      if (column == nullptr) return;
      const std::optional<RowPlace> from = catalogue_.place(*column, first_key);
      const std::optional<RowPlace> to = catalogue_.place(*column, last_key);
      if (!from || !to || from->source != to->source || to->row < from->row) return;
      first = from->row;
      rows = to->row - from->row + std::uint64_t{1};
      shard = catalogue_.source(from->source).shard;
    }
    if (!shard || rows > 2 * wanted) return;
    shard->will_need(*shard->layout().find(name), first, rows);
  } catch (const std::exception&) {  // gather() will say what is wrong
  }
}

std::vector<ShardView> Store::Impl::views(std::string_view name) const {
  return robust([&](const std::string&) {
    std::vector<std::shared_ptr<const Shard>> shards;
    {
      const std::shared_lock lock(mutex_);
      shards = catalogue_.shards();
    }
    std::vector<ShardView> views;
    for (const auto& shard : shards) {
      const detail::ShardLayout& layout = shard->layout();
      const detail::ColumnLayout* column = layout.find(name);
      if (column == nullptr) continue;
      std::shared_ptr<const Mapping> file = shard->map();
      // The layout is the file's: all of it lies inside, each tensor aligned to its type.
      const std::byte* base = file->bytes().data();
      const auto at = [&]<typename T>(std::uint64_t offset, std::uint64_t count) {
        return std::span(reinterpret_cast<const T*>(base + offset), count);
      };
      ShardView view;
      view.shard = shard->name();
      view.spec = column->spec;
      view.keys = at.template operator()<RowKey>(layout.key_offset, layout.rows);
      view.values = at.template operator()<std::byte>(column->values_offset,
                                                      column->vectors * column->vector_bytes);
      if (column->spec.ragged) {
        view.offsets =
            at.template operator()<std::int64_t>(column->offsets_offset, layout.rows + 1);
      }
      if (column->scaled()) {
        view.scales = at.template operator()<float>(column->scale_offset, column->vectors);
      }
      view.file = std::move(file);
      views.push_back(std::move(view));
    }
    return views;
  });
}

void Store::Impl::refresh() {
  const std::vector<std::string> names = look_again();
  if (std::none_of(names.begin(), names.end(), detail::is_journal_name)) return;
  const std::scoped_lock writing(writing_);
  disown_after_fork();
  recover(names);
}

std::vector<ColumnInfo> Store::Impl::columns() const {
  return robust([&](const std::string&) {
    const std::unique_lock lock(mutex_);
    catalogue_.index_all();
    std::vector<ColumnInfo> out;
    for (const auto& [name, column] : catalogue_.columns()) {
      out.push_back({column.spec, column.index.size()});
    }
    return out;
  });
}

bool Store::Impl::find_column(std::string_view name, ColumnSpec& out) const {
  const std::shared_lock lock(mutex_);
  const Column* column = catalogue_.find(name);
  if (column == nullptr) return false;
  out = column->spec;
  return true;
}

std::vector<Damage> Store::Impl::damaged() const {
  const std::shared_lock lock(mutex_);
  return catalogue_.damaged();
}

std::size_t Store::Impl::shard_count() const {
  const std::shared_lock lock(mutex_);
  return catalogue_.shards().size();
}

std::uint64_t Store::Impl::byte_count() const {
  const std::shared_lock lock(mutex_);
  std::uint64_t bytes = 0;
  for (const auto& shard : catalogue_.shards()) bytes += shard->layout().file_bytes;
  return bytes;
}

VerifyReport Store::Impl::verify(const Context& context) const {
  std::vector<std::string> names = Catalogue::list(vfs_, folder_);
  std::erase_if(names, [](const std::string& name) { return !detail::is_shard_name(name); });
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
      shard.verify(context.threads > 1 ? inner : context);
      finding.rows = shard.layout().rows;
    } catch (const ShardDamage& damage) {
      finding.why = damage.why();
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kIo) throw;
      if (is_not_found(error.os_code())) {  // removed meanwhile
        finding.counted = false;
        return;
      }
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

Store::Store(std::string folder, StoreOptions options)
    : impl_(std::make_unique<Impl>(std::move(folder), options)) {}

Store::~Store() {
  if (!impl_) return;
  try {
    impl_->flush(Context{});
  } catch (...) {  // a destructor has nobody to tell, and the rows are in the journal
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

std::size_t Store::lengths(const Context& context, std::span<const RowKey> keys,
                           std::string_view column, std::span<std::int64_t> out) const {
  return impl_->lengths(context, keys, column, out);
}

void Store::will_need(const RowKey& first, const RowKey& last, std::size_t rows,
                      std::string_view column) const noexcept {
  impl_->will_need(first, last, rows, column);
}
std::size_t Store::gather(const Context& context, std::span<const RowKey> keys,
                          std::string_view column, const RowBuffers& out) const {
  return impl_->gather(context, keys, column, out);
}

Scan Store::scan(std::string_view column) const { return impl_->scan(column); }
std::vector<ShardView> Store::views(std::string_view column) const { return impl_->views(column); }
void Store::flush(const Context& context) { impl_->flush(context); }
void Store::close(const Context& context) { impl_->close(context); }
void Store::refresh() { impl_->refresh(); }
CompactReport Store::compact(const Context& context) { return impl_->compact(context); }
std::vector<ColumnInfo> Store::columns() const { return impl_->columns(); }
bool Store::find_column(std::string_view name, ColumnSpec& out) const {
  return impl_->find_column(name, out);
}
std::vector<Damage> Store::damaged() const { return impl_->damaged(); }
std::size_t Store::shard_count() const { return impl_->shard_count(); }
std::uint64_t Store::byte_count() const { return impl_->byte_count(); }
const std::string& Store::folder() const noexcept { return impl_->folder(); }
VerifyReport Store::verify(const Context& context) const { return impl_->verify(context); }

}  // namespace zoo
