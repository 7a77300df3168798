// Every file call of a run fails, once or from then on, with each errno that a system may give.
//
// ZOO_LONG=1 tries every call with every errno; else every call with one, and some with the others.
#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "folder.hpp"
#include "writing_run.hpp"

using zoo::ErrorKind;
using zoo::Store;

namespace {

constexpr std::array kCodes = {ENOSPC, EIO, EDQUOT, EMFILE, EACCES, EROFS, EINTR};
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr long kEvery = 23;  // of the calls, where each takes its time
constexpr long kSomeEvery = 101;
#else
constexpr long kEvery = 1;
constexpr long kSomeEvery = 11;
#endif

struct Counts {
  std::size_t runs = 0;
  std::size_t failed_calls = 0;
  std::size_t errors = 0;  // that a caller saw
};

// Runs a step until it succeeds. A failure must be the injected one, and leave every row that was
// committed before for the next process; then the fault passes.
void insist(WritingRun& run, std::size_t step, MemoryDisk& disk, Faults& faults, Counts& counts) {
  for (int tries = 0;; ++tries) {
    CHECK(tries < 3);  // once the fault has passed nothing fails any more
    try {
      run.step(step);
      return;
    } catch (const zoo::Error& error) {
      CHECK(error.kind() == ErrorKind::kIo && error.os_code() == faults.code);
      CHECK(faults.failed > 0);
      ++counts.errors;
      check_disk(*disk.after_crash(), run.committed);
      faults.fail_at = -1;
    }
  }
}

bool a_run_survives(long n, int code, bool stays, Counts& counts) {
  check_case = "call " + std::to_string(n) + (stays ? " and all after fail" : " fails") +
               " with errno " + std::to_string(code);
  MemoryDisk disk;
  Faults faults;
  faults.fail_at = n;
  faults.code = code;
  faults.stays = stays;
  WritingRun run(disk, faults);
  for (std::size_t i = 0; i < run.steps(); ++i) insist(run, i, disk, faults, counts);
  ++counts.runs;
  counts.failed_calls += static_cast<std::size_t>(faults.failed);
  faults.fail_at = -1;
  check_disk(*disk.after_crash(), run.committed);
  check_disk(*after_losing_all_unsynced(disk), run.durable);
  check_goes_on(disk);
  return faults.failed > 0;
}

Counts every_call_fails(bool is_long) {
  Counts counts;
  for (const bool stays : {false, true}) {
    for (std::size_t c = 0; c < kCodes.size(); ++c) {
      const long every = is_long ? 1 : c == 0 ? kEvery : kSomeEvery;
      for (long n = is_long ? 0 : static_cast<long>(c) % every;
           a_run_survives(n, kCodes[c], stays, counts); n += every) {
      }
    }
  }
  return counts;
}

void verify_reports_what_it_cannot_read() {
  MemoryDisk disk;
  MemoryVfs vfs(disk);
  Store store(kFolder, small_shards(vfs));
  append_rows(store, 0, 5);
  store.flush({});
  vfs.faults().fail_at = vfs.faults().calls + 6;
  CHECK(store.verify({}).damaged.size() == 1 && vfs.faults().failed == 1);
  CHECK(store.verify({}).damaged.empty());
}

void rows_are_sealed_at_their_age() {
  MemoryDisk disk;
  MemoryVfs vfs(disk);
  zoo::StoreOptions options;
  options.vfs = &vfs;
  Store store(kFolder, options);
  append_rows(store, 0, 1);
  disk.now_ns += options.seal_ns - 1;
  append_rows(store, 1, 1);
  CHECK(store.shard_count() == 0);
  disk.now_ns += 1;
  append_rows(store, 2, 1);
  CHECK(store.shard_count() == 1 && has_rows(store, 0, 3));
}

void an_interrupted_flush_keeps_its_rows() {
  const Folder folder;
  Store store(folder.path());
  append_rows(store, 0, 5);
  zoo::Context context;
  int polls = 0;
  context.poll = [&] {
    if (++polls == 3) throw zoo::Error(ErrorKind::kInterrupted, "stop");
  };
  CHECK_THROWS(store.flush(context), ErrorKind::kInterrupted);
  for (const std::string& name : zoo::system_vfs().list(folder.path())) {
    CHECK(name.ends_with(".journal"));  // no half shard stays
  }
  CHECK(has_rows(store, 0, 5));
  store.flush({});
  CHECK(has_rows(Store(folder.path()), 0, 5));
}

// Rows of a dead writer that could not be sealed when the store was opened are readable, so that
// append() does not take them again: a flush must seal them then.
void a_flush_seals_what_recovery_could_not() {
  for (long n = 0;; ++n) {
    check_case = "recovery fails from call " + std::to_string(n) + " on";
    MemoryDisk disk;
    {
      MemoryVfs vfs(disk);
      Store store(kFolder, small_shards(vfs));
      append_known(store, {kPlain}, 0, 8);
      vfs.die();
    }
    MemoryVfs vfs(disk);
    vfs.faults().fail_at = n;
    vfs.faults().stays = true;
    vfs.faults().code = ENOSPC;
    bool opened = false;
    try {
      Store store(kFolder, small_shards(vfs));
      opened = true;
      vfs.faults().fail_at = -1;
      append_known(store, {kPlain}, 0, 8);
      store.flush({});
      vfs.die();
    } catch (const zoo::Error& error) {
      CHECK(!opened && error.os_code() == ENOSPC);
    }
    if (opened) check_disk(*after_losing_all_unsynced(disk), set_of({kPlain}, 0, 8));
    if (vfs.faults().failed == 0) return;
  }
}

}  // namespace

int main() {
  try {
    verify_reports_what_it_cannot_read();
    rows_are_sealed_at_their_age();
    an_interrupted_flush_keeps_its_rows();
    a_flush_seals_what_recovery_could_not();
    const char* wish = std::getenv("ZOO_LONG");
    const Counts counts = every_call_fails(wish != nullptr && std::string(wish) != "0");
    CHECK(counts.errors > counts.runs / 2);
    std::printf(
        "{\"test\": \"store_faults\", \"codes\": %zu, \"runs\": %zu, "
        "\"failed_calls\": %zu, \"errors\": %zu, \"failed\": 0}\n",
        kCodes.size(), counts.runs, counts.failed_calls, counts.errors);
  } catch (const zoo::Error& error) {
    std::fprintf(stderr, "%s (%s)\n", error.what(), check_case.c_str());
    return 1;
  }
}
