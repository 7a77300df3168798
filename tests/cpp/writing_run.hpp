// A run of three processes that write to one store: appends, seals, a death, recovery, compaction.
// It is made of steps, so that tests can stop it, make it fail and go on anywhere.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "known_rows.hpp"
#include "memory_vfs.hpp"

inline const std::string kFolder = "s";

inline zoo::StoreOptions small_shards(MemoryVfs& vfs) {
  zoo::StoreOptions options;
  options.shard_bytes = 6000;
  options.vfs = &vfs;
  return options;
}

// What a fresh process, on a copy of the disk as it is now, finds: these rows at least.
inline RowSet check_disk(MemoryDisk& disk, const RowSet& required) {
  MemoryVfs vfs(disk);
  const zoo::Store store(kFolder, small_shards(vfs));
  return check_store(store, required);
}

inline std::unique_ptr<MemoryDisk> after_losing_all_unsynced(const MemoryDisk& disk) {
  return disk.after_power_loss(disk.log.size(),
                               [](std::size_t, std::size_t) { return Fate::kLost; });
}

// That a process can rely on its flush for rows that it found when it appended them, whoever wrote
// them and however that one ended.
inline void check_flush_covers_what_was_there(MemoryDisk& disk) {
  RowSet present;
  {
    MemoryVfs vfs(disk);
    zoo::Store store(kFolder, small_shards(vfs));
    present = check_store(store, {});
    for (std::size_t kind = 0; kind < kKinds; ++kind) {
      for (std::size_t i = 0; i < kRows; ++i) {
        if (present[kind * kRows + i]) CHECK(append_known(store, {kind}, i, 1) == 0);
      }
    }
    store.flush({});
    vfs.die();
  }
  check_disk(*after_losing_all_unsynced(disk), present);
}

// That the store on the disk takes all rows, and that they are still there when power is lost
// once they were flushed.
inline void check_goes_on(MemoryDisk& disk) {
  {
    MemoryVfs vfs(disk);
    zoo::Store store(kFolder, small_shards(vfs));
    append_known(store, {kPlain, kRagged, kScaled}, 0, kRows);
    store.flush({});
    check_store(store, RowSet().set());
    vfs.die();
  }
  check_disk(*after_losing_all_unsynced(disk), RowSet().set());
}

class WritingRun {
 public:
  // `observe`: ask the store after each step which rows its shards have; those must be durable.
  WritingRun(MemoryDisk& disk, Faults& faults, bool observe = false)
      : disk_(disk), faults_(faults), observe_(observe) {
    open();
    append({kPlain}, 0, 12);
    append({kRagged}, 0, 20);
    append({kPlain, kScaled}, 6, 20);  // the first rows of x are there already
    flush();
    append({kPlain, kRagged, kScaled}, 20, 24);
    append({kScaled}, 40, 20);  // reaches the size of a shard
    append({kRagged}, 50, 4);
    die();
    open();  // recovers what the first left
    append({kRagged}, 45, 12);
    later();
    append({kPlain}, 50, 6);  // seals, by age
    flush();
    append({kScaled}, 56, 10);
    compact();
    append({kPlain, kRagged}, 56, 8);
    die();
    open();
    append({kPlain, kRagged}, 56, 12);  // some of them recovered, some new
    flush();
    append({kPlain, kScaled}, 68, 10);
    compact();
    append({kRagged}, 68, 10);
    close();
  }
  ~WritingRun() {
    if (vfs_) vfs_->die();
  }
  WritingRun(const WritingRun&) = delete;
  WritingRun& operator=(const WritingRun&) = delete;

  [[nodiscard]] std::size_t steps() const { return steps_.size(); }
  void step(std::size_t number) {
    steps_[number]();
    if (observe_ && store_) note_shards();
    history.emplace_back(disk_.log.size(), durable);
  }
  void all() {
    for (std::size_t i = 0; i < steps(); ++i) step(i);
  }

  RowSet committed;
  RowSet durable;
  std::vector<std::pair<std::size_t, RowSet>> history;  // changes made, and what was durable then

 private:
  void open() {
    steps_.emplace_back([this] {
      store_.reset();
      vfs_ = std::make_unique<MemoryVfs>(disk_, faults_);
      store_.emplace(kFolder, small_shards(*vfs_));
    });
  }
  void append(std::initializer_list<std::size_t> kinds, std::uint64_t first, std::uint64_t count) {
    steps_.emplace_back([this, list = std::vector<std::size_t>(kinds), first, count] {
      std::vector<KnownRows> rows;
      for (const std::size_t kind : list) rows.emplace_back(kind, numbers_of(first, count));
      std::vector<zoo::ColumnRows> columns;
      for (const KnownRows& each : rows) columns.push_back(each.rows());
      (void)store_->append({}, rows.front().keys, columns);
      for (const std::size_t kind : list) {
        committed |= set_of({kind}, first, count);
        mine_ |= set_of({kind}, first, count);
      }
    });
  }
  void flush() {
    steps_.emplace_back([this] {
      store_->flush({});
      durable |= mine_;
    });
  }
  void later() {
    steps_.emplace_back([this] { disk_.now_ns += 40'000'000'000; });
  }
  void compact() {
    steps_.emplace_back([this] { (void)store_->compact({}); });
  }
  void die() {
    steps_.emplace_back([this] {
      vfs_->die();
      store_.reset();
      mine_.reset();
    });
  }
  void close() {
    steps_.emplace_back([this] {
      store_->close({});
      durable |= mine_;
      store_.reset();
    });
  }

  void note_shards() {
    for (std::size_t kind = 0; kind < kKinds; ++kind) {
      for (const zoo::ShardView& view : store_->views(known_spec(kind).name)) {
        for (const zoo::RowKey& key : view.keys) {
          std::uint64_t number = 0;
          std::memcpy(&number, key.bytes.data(), sizeof number);
          durable.set(kind * kRows + number);
        }
      }
    }
  }

  MemoryDisk& disk_;
  Faults& faults_;
  bool observe_;
  std::unique_ptr<MemoryVfs> vfs_;
  std::optional<zoo::Store> store_;
  RowSet mine_;  // what this process has appended: durable once it has flushed
  std::vector<std::function<void()>> steps_;
};
