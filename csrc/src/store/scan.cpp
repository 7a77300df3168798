// Scans: a column's rows in the order of the files, a block at a time.
#include <algorithm>
#include <utility>

#include "store/store_impl.hpp"

namespace zoo {

using detail::Column;
using detail::RowPlace;

namespace {

// Rows first .. end - 1 of a shard, or of rows in memory.
struct Run {
  std::shared_ptr<const detail::Shard> shard;
  std::shared_ptr<const detail::Table> table;
  std::size_t first = 0;
  std::size_t end = 0;
};

}  // namespace

class Scan::Impl {
 public:
  Impl(std::string column, std::vector<Run> runs)
      : column_(std::move(column)), runs_(std::move(runs)) {}

  Size next(std::size_t most) {
    if (most == 0) throw Error(ErrorKind::kInvalid, "a block has at least one row");
    while (run_ < runs_.size() && runs_[run_].first == runs_[run_].end) ++run_;
    if (run_ == runs_.size()) return size_ = {};
    const Run& run = runs_[run_];
    size_.rows = std::min(most, run.end - run.first);
    size_.vectors = size_.rows;
    if (run.shard) {
      const detail::ColumnLayout& layout = *run.shard->layout().find(column_);
      if (layout.spec.ragged) {
        offsets_.resize(size_.rows + 1);
        run.shard->block_offsets(layout, run.first, offsets_);
        size_.vectors = static_cast<std::size_t>(offsets_.back());
      }
      // This block, and as much behind it: while one is worked on, the disk brings the other.
      run.shard->will_need(layout, run.first, std::min(2 * most, run.end - run.first));
    } else if (const std::size_t c = run.table->column(column_); run.table->specs()[c].ragged) {
      offsets_.assign(1, 0);
      for (std::size_t i = 0; i < size_.rows; ++i) {
        const auto row = static_cast<std::uint32_t>(run.first + i);
        offsets_.push_back(offsets_.back() + run.table->length(c, row));
      }
      size_.vectors = static_cast<std::size_t>(offsets_.back());
    }
    return size_;
  }

  void read(const Context& context, std::span<RowKey> keys, const RowBuffers& out,
            std::span<std::int64_t> offsets) {
    if (size_.rows == 0 || keys.size() != size_.rows) {
      throw Error(ErrorKind::kInvalid, "next() comes before read(), and says how many keys");
    }
    Run& run = runs_[run_];
    const ColumnSpec spec = run.shard ? run.shard->layout().find(column_)->spec
                                      : run.table->specs()[run.table->column(column_)];
    if (offsets.size() != (spec.ragged ? size_.rows + 1 : 0)) {
      throw Error(ErrorKind::kInvalid, "ragged columns alone need offsets, one more than keys");
    }
    if (spec.ragged) std::copy(offsets_.begin(), offsets_.end(), offsets.begin());
    const RowBuffers room{out.values, offsets, out.scales};
    const std::string problem =
        detail::rows_problem({spec, room.values, room.offsets, room.scales}, keys.size());
    if (!problem.empty()) throw Error(ErrorKind::kInvalid, "out: " + problem);
    if (run.shard) {
      run.shard->read_block(context, *run.shard->layout().find(column_), run.first, keys, room);
    } else {
      const std::size_t c = run.table->column(column_);
      for (std::size_t i = 0; i < keys.size(); ++i) {
        const std::size_t row = run.first + i;
        keys[i] = run.table->keys()[row];
        run.table->copy_row(c, static_cast<std::uint32_t>(row), room, i);
      }
    }
    run.first += size_.rows;
    size_ = {};
  }

 private:
  std::string column_;
  std::vector<Run> runs_;
  std::size_t run_ = 0;
  Size size_;
  std::vector<std::int64_t> offsets_;
};

Scan::Scan(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Scan::~Scan() = default;
Scan::Scan(Scan&&) noexcept = default;
Scan& Scan::operator=(Scan&&) noexcept = default;
Scan::Size Scan::next(std::size_t most) { return impl_->next(most); }
void Scan::read(const Context& context, std::span<RowKey> keys, const RowBuffers& out,
                std::span<std::int64_t> offsets) {
  impl_->read(context, keys, out, offsets);
}

Scan Store::Impl::scan(std::string_view name) const {
  return robust([&](const std::string&) {
    // An index of all rows: which of equal rows counts must be known for each.
    const std::unique_lock lock(mutex_);
    catalogue_.index(name);
    std::vector<Run> runs;
    const Column* column = catalogue_.find(name);
    if (column == nullptr) return Scan(std::make_unique<Scan::Impl>(std::string(name), runs));
    std::size_t total = 0;
    const std::vector<std::uint32_t> sources = catalogue_.sources_of(name);
    for (const std::uint32_t number : sources) {
      const detail::Source& source = catalogue_.source(number);
      // One that another process has merged is found missing here, where it can be looked for, and
      // not in the middle of the scan; the file stays open where there are not too many.
      if (source.shard) source.shard->open_file();
      Run run{source.shard, nullptr, 0, source.shard ? source.shard->layout().rows : 0};
      if (source.table) {
        // A copy: appends and seals change the table under the scan.
        run.table = std::make_shared<const Table>(*source.table);
        run.end = run.table->rows();
      }
      total += run.end;
      runs.push_back(std::move(run));
    }
    if (total == column->index.size()) {
      return Scan(std::make_unique<Scan::Impl>(std::string(name), std::move(runs)));
    }
    std::vector<Run> winners;
    for (std::size_t i = 0; i < runs.size(); ++i) {
      const Run& run = runs[i];
      const std::vector<RowKey> keys =
          run.shard ? run.shard->read_keys()
                    : std::vector<RowKey>(run.table->keys().begin(), run.table->keys().end());
      for (std::uint32_t row = 0; row < keys.size(); ++row) {
        const RowPlace* place = column->index.find(keys[row]);
        if (place == nullptr || place->source != sources[i] || place->row != row) continue;
        if (!winners.empty() && winners.back().end == row && winners.back().shard == run.shard &&
            winners.back().table == run.table) {
          ++winners.back().end;
        } else {
          winners.push_back({run.shard, run.table, row, row + 1u});
        }
      }
    }
    return Scan(std::make_unique<Scan::Impl>(std::string(name), std::move(winners)));
  });
}

}  // namespace zoo
