// What the store promises after the death of the process at any call and after any loss of power.
//
// ZOO_LONG=1 tries 10,000 random losses of power instead of 300, and every single one instead of
// some; ZOO_SEED is another seed.
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <unordered_set>

#include "writing_run.hpp"

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
// Each takes its time there, and nothing here is about threads.
constexpr long kCrashEvery = 5;
constexpr std::uint64_t kPrefixEvery = 8;
constexpr std::uint64_t kSingleEvery = 64;
#else
constexpr long kCrashEvery = 1;
constexpr std::uint64_t kPrefixEvery = 1;
constexpr std::uint64_t kSingleEvery = 4;
#endif
constexpr std::uint64_t kGoOnEvery = 8;

struct Counts {
  std::size_t crashes = 0;
  std::size_t changes = 0;
  std::size_t prefixes = 0;
  std::size_t drops = 0;
  std::size_t tears = 0;
  std::size_t random = 0;
  std::size_t distinct = 0;
};

std::uint64_t environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

void a_run_seals_recovers_and_compacts() {
  MemoryDisk disk;
  Faults faults;
  WritingRun run(disk, faults);
  run.all();
  std::size_t shards = 0;
  std::size_t recovered = 0;
  for (const Change& change : disk.log) {
    if (change.kind != Change::Kind::kRename) continue;
    shards += change.to.ends_with(".safetensors") ? 1 : 0;
    recovered += change.to.ends_with(".recover") ? 1 : 0;
  }
  CHECK(shards >= 8 && recovered == 2);
  CHECK(check_disk(disk, run.committed) == run.committed);
  for (const auto& [name, node] : disk.names) CHECK(name.ends_with(".safetensors"));
}

// After each, the next process finds every committed row, writes on, and can rely on a flush:
// whatever the dead one had not synced, too.
std::size_t a_crash_at_any_call_costs_no_committed_row() {
  for (long n = 0;; n += kCrashEvery) {
    check_case = "crash at call " + std::to_string(n);
    MemoryDisk disk;
    Faults faults;
    faults.crash_at = n;
    WritingRun run(disk, faults);
    bool crashed = false;
    try {
      run.all();
    } catch (const Crash&) {
      crashed = true;
    }
    check_disk(*disk.after_crash(), run.committed);
    check_flush_covers_what_was_there(disk);
    check_goes_on(disk);
    if (!crashed && !faults.dead) return static_cast<std::size_t>(n / kCrashEvery);
  }
}

class PowerLosses {
 public:
  PowerLosses() : run_(disk_, faults_, true) {
    run_.all();
    counts.changes = disk_.log.size();
  }

  // All that was changed until some moment is kept, and then power is lost; the moment lies among
  // the changes that were not certain.
  void prefixes() {
    for (std::size_t cut = 0; cut <= disk_.log.size(); ++cut) {
      for (const std::size_t last : disk_.uncertain(cut)) {
        const std::size_t sectors = disk_.log[last].sectors();
        for (std::size_t whole = 0; whole < sectors; ++whole) {
          if (++prefix_ % kPrefixEvery != 0) continue;
          lose(cut, "prefix to " + std::to_string(last) + "+" + std::to_string(whole),
               [&](std::size_t i, std::size_t sector) {
                 return i < last || (i == last && sector < whole) ? Fate::kKept : Fate::kLost;
               });
          ++counts.prefixes;
        }
      }
      lose(cut, "all kept", [](std::size_t, std::size_t) { return Fate::kKept; });
      ++counts.prefixes;
    }
  }

  // One change is lost, or torn between two sectors, and all others are kept.
  void single_losses(bool all) {
    for (std::size_t cut = 0; cut <= disk_.log.size(); ++cut) {
      for (const std::size_t one : disk_.uncertain(cut)) {
        const std::size_t sectors = disk_.log[one].sectors();
        for (std::size_t whole = 0; whole < sectors; ++whole) {
          for (const Fate rest : {Fate::kLost, Fate::kZeros, Fate::kStale}) {
            if (!all && ++single_ % kSingleEvery != 0) continue;
            lose(cut, "lost " + std::to_string(one) + "+" + std::to_string(whole),
                 [&](std::size_t i, std::size_t sector) {
                   return i == one && sector >= whole ? rest : Fate::kKept;
                 });
            ++(whole == 0 ? counts.drops : counts.tears);
          }
        }
      }
    }
  }

  // Of every unsynced change, and of every sector, a random part is kept.
  void random_losses(std::uint64_t seed, std::size_t count) {
    std::mt19937_64 random(seed);
    for (std::size_t n = 0; n < count; ++n) {
      const std::size_t cut = random() % (disk_.log.size() + 1);
      const std::uint64_t kept_of_8 = random() % 9;
      const std::uint64_t sectors_of_8 = random() % 9;
      std::vector<std::uint64_t> draws(disk_.log.size());
      for (auto& draw : draws) draw = random();
      lose(cut, "random " + std::to_string(n), [&](std::size_t i, std::size_t) {
        if (draws[i] % 8 >= kept_of_8) return Fate::kLost;
        if (!disk_.log[i].is_of_bytes() || random() % 8 < sectors_of_8) return Fate::kKept;
        return std::array{Fate::kLost, Fate::kZeros, Fate::kStale}[random() % 3];
      });
      ++counts.random;
    }
  }

  Counts counts;

 private:
  void lose(std::size_t cut, const std::string& what, const MemoryDisk::Keep& keep) {
    check_case = "power lost after " + std::to_string(cut) + " changes, " + what;
    RowSet durable;
    for (const auto& [changes, rows] : run_.history) {
      if (changes <= cut) durable = rows;
    }
    const auto disk = disk_.after_power_loss(cut, keep);
    if (!seen_.insert(disk->fingerprint() ^ std::hash<RowSet>()(durable)).second) return;
    ++counts.distinct;
    check_disk(*disk, durable);
    if (counts.distinct % kGoOnEvery == 0) check_goes_on(*disk);
  }

  MemoryDisk disk_;
  Faults faults_;
  WritingRun run_;
  std::uint64_t prefix_ = 0;
  std::uint64_t single_ = 0;
  std::unordered_set<std::uint64_t> seen_;  // what is left is often the same
};

}  // namespace

int main() {
  const bool is_long = environment("ZOO_LONG", 0) != 0;
  const std::uint64_t seed = environment("ZOO_SEED", 20240607);
  try {
    a_run_seals_recovers_and_compacts();
    const std::size_t crashes = a_crash_at_any_call_costs_no_committed_row();
    PowerLosses losses;
    losses.prefixes();
    losses.single_losses(is_long);
    losses.random_losses(seed, is_long ? 10'000 : 300);
    const Counts& counts = losses.counts;
    std::printf("{\"test\": \"store_power\", \"seed\": %" PRIu64
                ", \"crashes\": %zu, \"changes\": %zu, \"prefixes\": %zu, \"drops\": %zu, "
                "\"tears\": %zu, \"random\": %zu, \"distinct\": %zu, \"failed\": 0}\n",
                seed, crashes, counts.changes, counts.prefixes, counts.drops, counts.tears,
                counts.random, counts.distinct);
  } catch (const zoo::Error& error) {
    std::fprintf(stderr, "%s (%s)\n", error.what(), check_case.c_str());
    return 1;
  }
}
