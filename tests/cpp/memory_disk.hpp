// A disk in memory that remembers every change, so that what a loss of power leaves can be made.
//
// Certain after a loss of power are the bytes of a file that were written before its last sync, and
// the names that were made, changed or removed before the folder's last sync. Each later change may
// be there or not, whatever became of those around it: POSIX orders nothing that was not synced.
// Bytes go by sectors of 512; one that was lost reads as a file's end, as zeros, or as what an
// older file left on the disk.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

inline constexpr std::uint64_t kSector = 512;

struct Change {
  enum class Kind { kCreate, kWrite, kGrow, kRename, kRemove, kSync, kSyncFolder };
  Kind kind = Kind::kWrite;
  std::uint64_t node = 0;
  std::string name = {};  // a path; of kRename the old one
  std::string to = {};
  std::uint64_t offset = 0;  // of kGrow the new size
  std::vector<std::byte> data = {};

  [[nodiscard]] bool is_of_bytes() const { return kind == Kind::kWrite || kind == Kind::kGrow; }
  [[nodiscard]] bool is_sync() const { return kind == Kind::kSync || kind == Kind::kSyncFolder; }
  // The sectors that a write touches; 1 for all others.
  [[nodiscard]] std::size_t sectors() const {
    if (kind != Kind::kWrite || data.empty()) return 1;
    return static_cast<std::size_t>((offset + data.size() - 1) / kSector - offset / kSector + 1);
  }
};

// What became of a change, or of one sector of a write.
enum class Fate { kKept, kLost, kZeros, kStale };

struct MemoryNode {
  std::uint64_t id = 0;
  std::vector<std::byte> bytes = {};
  const void* lock_holder = nullptr;
};

class MemoryDisk {
 public:
  using Names = std::map<std::string, std::shared_ptr<MemoryNode>>;
  // Of change number `first` the sector `second`.
  using Keep = std::function<Fate(std::size_t, std::size_t)>;

  MemoryDisk() = default;
  MemoryDisk(const MemoryDisk&) = delete;
  MemoryDisk& operator=(const MemoryDisk&) = delete;

  Names names;
  std::vector<Change> log;
  std::uint64_t now_ns = 1;
  std::uint64_t next_node = 1;
  std::uint64_t next_stem = 1;
  bool locks = true;  // else every lock can be had, as where the system keeps none
  std::mutex mutex;   // over all of it

  void put(const std::string& path, std::span<const std::byte> bytes) {
    names[path] = new_node({bytes.begin(), bytes.end()});
    base_ = copy_of(names);
  }

  // What the next process finds when all that used the disk were killed just now.
  [[nodiscard]] std::unique_ptr<MemoryDisk> after_crash() const { return with(copy_of(names)); }

  // The changes among the first `cut` that a loss of power right after them may undo.
  [[nodiscard]] std::vector<std::size_t> uncertain(std::size_t cut) const {
    std::vector<std::size_t> found;
    std::set<std::uint64_t> synced;
    bool folder_synced = false;
    for (std::size_t i = cut; i-- > 0;) {
      const Change& change = log[i];
      if (change.kind == Change::Kind::kSync) {
        synced.insert(change.node);
      } else if (change.kind == Change::Kind::kSyncFolder) {
        folder_synced = true;  // tests use one folder
      } else if (change.is_of_bytes() ? !synced.contains(change.node) : !folder_synced) {
        found.push_back(i);
      }
    }
    std::reverse(found.begin(), found.end());
    return found;
  }

  // The disk after power was lost when `cut` changes were made, with `keep` deciding what became of
  // each that was not certain.
  [[nodiscard]] std::unique_ptr<MemoryDisk> after_power_loss(std::size_t cut,
                                                             const Keep& keep) const {
    const std::vector<std::size_t> open = uncertain(cut);
    Names found = copy_of(base_);
    std::map<std::uint64_t, std::shared_ptr<MemoryNode>> nodes;
    for (const auto& [name, node] : found) nodes[node->id] = node;
    for (std::size_t i = 0; i < cut; ++i) {
      const Change& change = log[i];
      if (change.is_sync()) continue;
      auto& node = nodes[change.node];
      if (!node) node = std::make_shared<MemoryNode>(MemoryNode{change.node});
      const bool certain = !std::binary_search(open.begin(), open.end(), i);
      if (change.kind == Change::Kind::kWrite) {
        for (std::size_t s = 0; s < change.sectors(); ++s) {
          write_sector(*node, i, s, certain ? Fate::kKept : keep(i, s));
        }
      } else if (certain || keep(i, 0) == Fate::kKept) {
        apply(found, node, change);
      }
    }
    return with(std::move(found));
  }

  // A number that equal contents share.
  [[nodiscard]] std::uint64_t fingerprint() const {
    std::uint64_t hash = 0xCBF29CE484222325u;
    const auto add = [&hash](std::uint64_t byte) { hash = (hash ^ byte) * 0x100000001B3u; };
    for (const auto& [name, node] : names) {
      for (const char c : name) add(static_cast<unsigned char>(c));
      add(node->bytes.size());
      for (const std::byte b : node->bytes) add(static_cast<std::uint64_t>(b));
    }
    return hash;
  }

  std::shared_ptr<MemoryNode> new_node(std::vector<std::byte> bytes = {}) {
    return std::make_shared<MemoryNode>(MemoryNode{next_node++, std::move(bytes)});
  }

 private:
  static Names copy_of(const Names& names) {
    Names copy;
    for (const auto& [name, node] : names) {
      copy[name] = std::make_shared<MemoryNode>(MemoryNode{node->id, node->bytes});
    }
    return copy;
  }

  [[nodiscard]] std::unique_ptr<MemoryDisk> with(Names found) const {
    auto disk = std::make_unique<MemoryDisk>();
    disk->base_ = copy_of(found);
    disk->names = std::move(found);
    disk->now_ns = now_ns;
    disk->next_node = next_node;
    disk->next_stem = next_stem;
    disk->locks = locks;
    return disk;
  }

  static void apply(Names& found, const std::shared_ptr<MemoryNode>& node, const Change& change) {
    switch (change.kind) {
      case Change::Kind::kCreate:
        found[change.name] = node;
        break;
      case Change::Kind::kRename:
        found.erase(change.name);
        found[change.to] = node;
        break;
      case Change::Kind::kRemove:
        found.erase(change.name);
        break;
      case Change::Kind::kGrow:
        if (node->bytes.size() < change.offset) node->bytes.resize(change.offset);
        break;
      default:
        break;
    }
  }

  void write_sector(MemoryNode& node, std::size_t number, std::size_t sector, Fate fate) const {
    const Change& change = log[number];
    if (fate == Fate::kLost) return;
    const std::uint64_t start = (change.offset / kSector + sector) * kSector;
    const std::uint64_t from = std::max(change.offset, start);
    const std::uint64_t to = std::min(change.offset + change.data.size(), start + kSector);
    if (node.bytes.size() < to) node.bytes.resize(to);
    if (fate == Fate::kStale) stale(node, number, from, to);
    if (fate != Fate::kKept) return;
    std::copy(change.data.begin() + static_cast<std::ptrdiff_t>(from - change.offset),
              change.data.begin() + static_cast<std::ptrdiff_t>(to - change.offset),
              node.bytes.begin() + static_cast<std::ptrdiff_t>(from));
  }

  // The bytes that an earlier file had at this very place: the hardest to tell from sound ones.
  void stale(MemoryNode& node, std::size_t number, std::uint64_t from, std::uint64_t to) const {
    for (std::size_t i = 0; i < number; ++i) {
      const Change& old = log[i];
      if (old.kind != Change::Kind::kWrite || old.node == node.id) continue;
      const std::uint64_t first = std::max(from, old.offset);
      const std::uint64_t last = std::min<std::uint64_t>(to, old.offset + old.data.size());
      for (std::uint64_t at = first; at < last; ++at) node.bytes[at] = old.data[at - old.offset];
    }
  }

  Names base_;  // as it was, all of it certain, when the log began
};
