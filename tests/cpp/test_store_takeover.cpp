// Two writers where locks do nothing: one takes over the other's journal while that one lives.
//
// Every call of the one is tried as the moment when the other acts, and every call as the moment of
// a crash, with ZOO_LONG=1 all pairs of them; every row that either has committed must be there
// afterwards.
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "writing_run.hpp"

namespace {

using zoo::Store;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr long kMomentEvery = 150;
#else
constexpr long kMomentEvery = 25;
#endif

struct Writer {
  explicit Writer(MemoryDisk& disk) : vfs(disk) {}
  ~Writer() { vfs.die(); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  void open() { store.emplace(kFolder, small_shards(vfs)); }
  void append(std::initializer_list<std::size_t> kinds, std::uint64_t first, std::uint64_t count) {
    append_known(*store, kinds, first, count);
    for (const std::size_t kind : kinds) committed |= set_of({kind}, first, count);
  }

  MemoryVfs vfs;
  std::optional<Store> store;
  RowSet committed;
};

// What the one that lives on does while the other is at it.
void live(Writer& writer, int moment) {
  const auto first = static_cast<std::uint64_t>(12 + 14 * moment);
  writer.append({kPlain, kRagged}, first, 7);
  writer.append({kScaled}, first, 7);
}

void take_over(Writer& heir) {
  heir.open();
  heir.append({kPlain, kScaled}, 60, 10);
  heir.store->refresh();
  heir.append({kRagged}, 60, 10);
  heir.store->flush({});
  heir.store->compact({});
  heir.append({kPlain}, 80, 4);
}

struct Counts {
  std::size_t moments = 0;
  std::size_t crashes = 0;
  std::size_t taken_over = 0;
};

// Whether call `moment` of the heir was reached. It crashes at call `crash`, unless that is -1.
bool an_heir_meets_a_living_writer(long moment, long crash, bool flushed, Counts& counts) {
  check_case = "the writer acts at call " + std::to_string(moment) + ", the heir dies at call " +
               std::to_string(crash);
  MemoryDisk disk;
  disk.locks = false;
  Writer writer(disk);
  writer.open();
  writer.append({kPlain, kRagged}, 0, 6);
  writer.append({kScaled}, 0, 6);
  Writer heir(disk);
  bool reached = false;
  heir.vfs.faults().crash_at = crash;
  heir.vfs.faults().hook_at = moment;
  heir.vfs.faults().hook = [&] {
    reached = true;
    live(writer, 0);
  };
  try {
    take_over(heir);
  } catch (const Crash&) {
    ++counts.crashes;
  }
  live(writer, 1);
  RowSet durable;
  if (flushed) {
    writer.store->flush({});
    durable = writer.committed;
  }
  const RowSet committed = writer.committed | heir.committed;
  for (const Change& change : disk.log) {
    if (change.kind == Change::Kind::kRename && change.to.ends_with(".recover")) {
      ++counts.taken_over;
      break;
    }
  }
  check_store(*writer.store, writer.committed);
  check_disk(*disk.after_crash(), committed);
  check_disk(*after_losing_all_unsynced(disk), durable);
  // The writer goes on after all of that, and a third one comes.
  Writer third(disk);
  third.open();
  check_store(*third.store, {});
  live(writer, 2);
  check_disk(*disk.after_crash(), committed | writer.committed);
  writer.store->close({});
  third.append({kPlain, kRagged, kScaled}, 0, kRows);
  third.store->close({});
  CHECK(check_disk(*disk.after_crash(), RowSet().set()).all());
  return reached;
}

// Whether call `moment` of the writer was reached; there the heir does all of its work.
bool a_writer_meets_an_heir(long moment, bool flushed, Counts& counts) {
  check_case = "the heir acts at call " + std::to_string(moment) + " of the writer";
  MemoryDisk disk;
  disk.locks = false;
  Writer heir(disk);
  Writer writer(disk);
  bool reached = false;
  writer.vfs.faults().hook_at = moment;
  writer.vfs.faults().hook = [&] {
    reached = true;
    take_over(heir);
  };
  writer.open();
  writer.append({kPlain, kRagged}, 0, 6);
  live(writer, 0);
  if (flushed) writer.store->flush({});
  live(writer, 1);
  live(writer, 2);
  const RowSet committed = writer.committed | heir.committed;
  check_store(*writer.store, writer.committed);
  check_disk(*disk.after_crash(), committed);
  writer.store->flush({});
  check_disk(*after_losing_all_unsynced(disk), writer.committed);
  check_disk(*disk.after_crash(), committed);
  ++counts.moments;
  return reached;
}

// Two heirs of one dead writer: the second does all of its work at some call of the first, which
// dies later or not.
bool two_heirs_meet(long moment, long crash, Counts& counts) {
  check_case = "the second heir acts at call " + std::to_string(moment) +
               " of the first, which dies at call " + std::to_string(crash);
  MemoryDisk disk;
  disk.locks = false;
  RowSet committed;
  {
    Writer writer(disk);
    writer.open();
    writer.append({kPlain, kRagged}, 0, 6);
    writer.append({kScaled}, 0, 6);
    committed = writer.committed;
  }
  Writer first(disk);
  Writer second(disk);
  bool reached = false;
  first.vfs.faults().crash_at = crash;
  first.vfs.faults().hook_at = moment;
  first.vfs.faults().hook = [&] {
    reached = true;
    take_over(second);
  };
  try {
    take_over(first);
  } catch (const Crash&) {
    ++counts.crashes;
  }
  check_disk(*disk.after_crash(), committed | first.committed | second.committed);
  return reached;
}

}  // namespace

int main() {
  const char* wish = std::getenv("ZOO_LONG");
  const bool is_long = wish != nullptr && std::string(wish) != "0";
  const long every = is_long ? 1 : kMomentEvery;
  Counts counts;
  try {
    for (const bool flushed : {false, true}) {
      for (long moment = 0; an_heir_meets_a_living_writer(moment, -1, flushed, counts); ++moment) {
        ++counts.moments;
      }
      for (long moment = 0; a_writer_meets_an_heir(moment, flushed, counts); ++moment) {
      }
    }
    // The heir dies without the other's act, or after it.
    bool more = true;
    for (long crash = 0; more; ++crash) {
      const std::size_t before = counts.crashes;
      an_heir_meets_a_living_writer(-1, crash, false, counts);
      two_heirs_meet(-1, crash, counts);
      for (long moment = crash % every; moment < crash; moment += every) {
        an_heir_meets_a_living_writer(moment, crash, crash % 2 == 0, counts);
        two_heirs_meet(moment, crash, counts);
        counts.moments += 2;
      }
      more = counts.crashes > before;
    }
    for (long moment = 0; two_heirs_meet(moment, -1, counts); ++moment) ++counts.moments;
    CHECK(counts.taken_over > counts.moments / 2);
    std::printf(
        "{\"test\": \"store_takeover\", \"moments\": %zu, \"crashes\": %zu, "
        "\"taken_over\": %zu, \"failed\": 0}\n",
        counts.moments, counts.crashes, counts.taken_over);
  } catch (const zoo::Error& error) {
    std::fprintf(stderr, "%s (%s)\n", error.what(), check_case.c_str());
    return 1;
  }
}
