// Arbitrary bytes as a dead writer's journal: what of it is sound becomes shards when it is opened.
#include <cstring>
#include <string>

#include "allocations.hpp"
#include "edits.hpp"
#include "known_rows.hpp"
#include "store/crc32c.hpp"
#include "target.hpp"
#include "whole_store.hpp"

const char* const kTargetName = "journal";

namespace {

constexpr std::size_t kMagicBytes = 16;
constexpr std::size_t kHeadBytes = 32;
constexpr std::size_t kUnchecked = 8;  // magic and checksum

// The first name that a new disk gives: checksums in a journal depend on its name.
std::string first_stem() {
  MemoryDisk disk;
  return MemoryVfs(disk).unique_stem();
}

template <typename T>
T number_at(const Bytes& bytes, std::size_t at) {
  T number{};
  std::memcpy(&number, bytes.data() + at, sizeof number);
  return number;
}

template <typename T>
void put(Bytes& bytes, T number) {
  const auto raw = std::as_bytes(std::span(&number, 1));
  bytes.insert(bytes.end(), raw.begin(), raw.end());
}

// Where the batches start that fit in the file, and where the last of them ends.
std::vector<std::size_t> batches(const Bytes& bytes) {
  std::vector<std::size_t> starts;
  std::size_t at = kMagicBytes;
  while (at + kHeadBytes <= bytes.size()) {
    const std::size_t left = bytes.size() - at - kHeadBytes;
    const auto columns = number_at<std::uint64_t>(bytes, at + 8);
    const auto body = number_at<std::uint64_t>(bytes, at + 16);
    starts.push_back(at);
    if (columns > left || body > left - columns) return starts;
    at += kHeadBytes + columns + body;
  }
  starts.push_back(std::min(at, bytes.size()));
  return starts;
}

void repair(Bytes& bytes) {
  const std::string stem = first_stem();
  const std::vector<std::size_t> starts = batches(bytes);
  for (std::uint64_t i = 0; i + 1 < starts.size(); ++i) {
    const std::uint32_t seed =
        zoo::detail::crc32c(zoo::detail::crc32c(0, stem.data(), stem.size()), &i, sizeof i);
    const std::size_t from = starts[i] + kUnchecked;
    const std::uint32_t crc = zoo::detail::crc32c(seed, bytes.data() + from, starts[i + 1] - from);
    std::memcpy(bytes.data() + starts[i] + 4, &crc, sizeof crc);
  }
}

// A batch whose sizes are true, of random columns: their number, names, dims and offsets are not
// those that a writer would choose.
Bytes random_batch(Random& random) {
  const std::uint64_t rows = random() % 16 == 0 ? odd_number(random) % 300 : 1 + random() % 12;
  const bool odd = random() % 2 == 0;
  const std::size_t count = random() % 8 == 0 ? random() % 80 : 1 + random() % 4;
  Bytes columns;
  Bytes body;
  for (std::uint64_t i = 0; i < rows; ++i) {
    put(body, std::uint64_t{random() % 8 == 0 ? 0 : i});
    put(body, std::uint64_t{0});
  }
  for (std::size_t c = 0; c < count; ++c) {
    const bool ragged = random() % 2 == 0;
    const auto dtype = static_cast<std::uint8_t>(random() % 4);
    std::uint64_t vectors = ragged ? random() % 20 : rows;
    const std::uint64_t dim = odd && random() % 16 == 0 ? odd_number(random) : 1 + random() % 4;
    if (odd && random() % 32 == 0) vectors = odd_number(random);
    std::string name =
        std::string(1, "xtqabcdefgh"[random() % 11]) + (c > 3 ? std::to_string(c) : "");
    if (odd && random() % 32 == 0) name = std::string(random() % 300, '"');
    put(columns, dim);
    put(columns, vectors);
    put(columns, dtype);
    put(columns, static_cast<std::uint8_t>(ragged));
    put(columns, static_cast<std::uint16_t>(name.size()));
    put(columns, std::uint32_t{0});
    const auto raw = std::as_bytes(std::span(name));
    columns.insert(columns.end(), raw.begin(), raw.end());
    if (vectors > 400 || dim > 64) continue;
    for (std::uint64_t i = 0; ragged && i <= rows; ++i) {
      put(body, i == rows                   ? vectors
                : odd && random() % 16 == 0 ? odd_number(random)
                                            : vectors * i / rows);
    }
    const std::size_t size = dtype == 0 ? 4 : dtype == 3 ? 1 : 2;
    body.resize(body.size() + vectors * dim * size, static_cast<std::byte>(random()));
    if (dtype == 3) body.resize(body.size() + vectors * 4);
  }
  Bytes batch;
  put(batch, std::uint32_t{0x31424A5A});
  put(batch, std::uint32_t{0});
  put(batch, static_cast<std::uint64_t>(columns.size()));
  put(batch, static_cast<std::uint64_t>(body.size()));
  put(batch, rows);
  batch.insert(batch.end(), columns.begin(), columns.end());
  batch.insert(batch.end(), body.begin(), body.end());
  return batch;
}

Bytes journal_of(
    const std::vector<std::pair<std::initializer_list<std::size_t>, std::uint64_t>>& appends) {
  MemoryDisk disk;
  MemoryVfs vfs(disk);
  zoo::StoreOptions options;
  options.vfs = &vfs;
  zoo::Store store(kFuzzFolder, options);
  std::uint64_t first = 0;
  for (const auto& [kinds, rows] : appends) {
    append_known(store, kinds, first, rows);
    first += rows;
  }
  vfs.die();
  return disk.names.begin()->second->bytes;
}

}  // namespace

std::vector<Bytes> seeds() {
  return {journal_of({{{kPlain}, 1}}), journal_of({{{kRagged}, 6}, {{kScaled}, 3}}),
          journal_of({{{kPlain, kRagged, kScaled}, 4}, {{kPlain}, 9}, {{kRagged}, 2}})};
}

Bytes mutate(Bytes bytes, Random& random) {
  const std::size_t changes = 1 + below(random, 3);
  for (std::size_t i = 0; i < changes; ++i) {
    if (bytes.size() < kMagicBytes) return seeds().front();
    const std::vector<std::size_t> starts = batches(bytes);
    const std::size_t start = starts[below(random, starts.size())];
    switch (random() % 5) {
      case 0:
        edit(bytes, 0, bytes.size(), random);
        break;
      case 1:  // a head, and the columns' descriptions behind it
        edit(bytes, start, std::min(bytes.size(), start + 100), random);
        break;
      case 2: {
        const Bytes batch = random_batch(random);
        if (bytes.size() > 20'000) bytes.resize(start);
        bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(start), batch.begin(),
                     batch.end());
        break;
      }
      case 3:
        edit(bytes, start, bytes.size(), random);
        break;
      default:
        if (random() % 8 == 0) cut_or_grow(bytes, random);
        break;
    }
  }
  if (random() % 4 != 0) repair(bytes);
  return bytes;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  MemoryDisk disk;
  const std::string stem = MemoryVfs(disk).unique_stem();
  disk.put(kFuzzFolder + "/" + stem + ".journal", std::as_bytes(std::span(data, size)));
  const AllocationLimit limit(allocation_limit(size));
  (void)do_everything(disk, true);
  for (const auto& [name, node] : disk.names) {
    ZOO_MUST(name.ends_with(".safetensors") || name.ends_with(".recover"));  // taken up at least
  }
  return 0;
}
