// What one process sees of a MemoryDisk, with calls that fail, crash, or let another process in.
#pragma once

#include <cerrno>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "memory_disk.hpp"
#include "runtime/vfs.hpp"
#include "zoo/error.hpp"

// Thrown by the call in which the process dies, and by each after it.
struct Crash {};

// Calls are counted from 0 on; hints and clocks are none. Several processes may share one count.
struct Faults {
  long calls = 0;
  long crash_at = -1;
  long fail_at = -1;
  bool stays = false;  // later calls fail, too
  int code = EIO;
  long failed = 0;  // calls that were made to fail
  bool dead = false;
  long hook_at = -1;
  std::function<void()> hook = {};  // runs before that call
};

class MemoryVfs final : public zoo::Vfs {
 public:
  explicit MemoryVfs(MemoryDisk& disk) : disk_(disk), faults_(&own_) {}
  MemoryVfs(MemoryDisk& disk, Faults& faults) : disk_(disk), faults_(&faults) {}

  // From now on every call throws Crash: the process was killed, and only destructors run.
  void die() { dead_ = true; }
  [[nodiscard]] Faults& faults() { return *faults_; }
  // What was asked for ahead: offsets and bytes.
  [[nodiscard]] std::vector<std::pair<std::uint64_t, std::uint64_t>> needed() const {
    return needed_;
  }

  std::unique_ptr<zoo::File> open_read(const std::string& path) override {
    enter("open", path);
    const std::scoped_lock lock(disk_.mutex);
    return std::make_unique<MemoryFile>(*this, node_of(path), path);
  }

  std::unique_ptr<zoo::Mapping> map(const std::string& path) override {
    enter("map", path);
    const std::scoped_lock lock(disk_.mutex);
    return std::make_unique<MemoryMapping>(node_of(path)->bytes);
  }

  bool exists(const std::string& path) override {
    enter("stat", path);
    const std::scoped_lock lock(disk_.mutex);
    return disk_.names.contains(path);
  }

  std::unique_ptr<zoo::File> create(const std::string& path) override {
    enter("create", path);
    const std::scoped_lock lock(disk_.mutex);
    if (disk_.names.contains(path)) fail("create", path, EEXIST);
    auto node = disk_.new_node();
    disk_.names[path] = node;
    disk_.log.push_back({Change::Kind::kCreate, node->id, path});
    return std::make_unique<MemoryFile>(*this, node, path);
  }

  void rename(const std::string& from, const std::string& to) override {
    enter("rename", from);
    const std::scoped_lock lock(disk_.mutex);
    auto node = node_of(from);
    disk_.names.erase(from);
    disk_.names[to] = node;
    disk_.log.push_back({Change::Kind::kRename, node->id, from, to});
  }

  void remove(const std::string& path) override {
    enter("remove", path);
    const std::scoped_lock lock(disk_.mutex);
    disk_.log.push_back({Change::Kind::kRemove, node_of(path)->id, path});
    disk_.names.erase(path);
  }

  void sync_folder(const std::string& path) override {
    enter("fsync", path);
    const std::scoped_lock lock(disk_.mutex);
    disk_.log.push_back({Change::Kind::kSyncFolder, 0, path});
  }

  std::vector<std::string> list(const std::string& path) override {
    enter("list", path);
    const std::scoped_lock lock(disk_.mutex);
    std::vector<std::string> names;
    for (const auto& [name, node] : disk_.names) {
      if (name.starts_with(path + "/")) names.push_back(name.substr(path.size() + 1));
    }
    return names;
  }

  std::uint64_t monotonic_ns() override {
    const std::scoped_lock lock(disk_.mutex);
    return disk_.now_ns;
  }

  std::string unique_stem() override {
    const std::scoped_lock lock(disk_.mutex);
    char text[64];
    const auto number = static_cast<unsigned long long>(disk_.next_stem++);
    (void)std::snprintf(text, sizeof text, "%016llx-%08x-%016llx", number, 1u, ~number);
    return text;
  }

 private:
  class MemoryMapping final : public zoo::Mapping {
   public:
    explicit MemoryMapping(std::vector<std::byte> bytes) : bytes_(std::move(bytes)) {}
    [[nodiscard]] std::span<const std::byte> bytes() const noexcept override { return bytes_; }

   private:
    std::vector<std::byte> bytes_;
  };

  class MemoryFile final : public zoo::File {
   public:
    MemoryFile(MemoryVfs& vfs, std::shared_ptr<MemoryNode> node, std::string path)
        : vfs_(vfs), disk_(vfs.disk_), node_(std::move(node)), path_(std::move(path)) {}
    ~MemoryFile() override {
      const std::scoped_lock lock(disk_.mutex);
      if (node_->lock_holder == this) node_->lock_holder = nullptr;
    }

    [[nodiscard]] std::uint64_t size() const override {
      vfs_.enter("stat", path_);
      const std::scoped_lock lock(disk_.mutex);
      return node_->bytes.size();
    }

    std::size_t read_at(std::uint64_t offset, std::span<std::byte> out) const override {
      vfs_.enter("read", path_);
      const std::scoped_lock lock(disk_.mutex);
      const std::uint64_t size = node_->bytes.size();
      const auto count = static_cast<std::size_t>(
          std::min<std::uint64_t>(out.size(), size - std::min(size, offset)));
      std::copy_n(node_->bytes.begin() + static_cast<std::ptrdiff_t>(std::min(size, offset)), count,
                  out.begin());
      return count;
    }

    // A write that fails or crashes has written its first half.
    void write(std::span<const std::byte> data) override {
      try {
        vfs_.enter("write", path_);
      } catch (...) {
        put(data.first(data.size() / 2));
        throw;
      }
      put(data);
    }

    void reserve(std::uint64_t bytes) override {
      vfs_.enter("reserve", path_);
      const std::scoped_lock lock(disk_.mutex);
      if (node_->bytes.size() < bytes) node_->bytes.resize(bytes);
      disk_.log.push_back({Change::Kind::kGrow, node_->id, path_, "", bytes});
    }

    void sync() override {
      vfs_.enter("fsync", path_);
      const std::scoped_lock lock(disk_.mutex);
      disk_.log.push_back({Change::Kind::kSync, node_->id, path_});
    }

    bool lock() override {
      vfs_.enter("lock", path_);
      const std::scoped_lock guard(disk_.mutex);
      if (!disk_.locks) return true;
      if (node_->lock_holder != nullptr && node_->lock_holder != this) return false;
      node_->lock_holder = this;
      return true;
    }

    void start_sync() override {}
    void will_need(std::uint64_t offset, std::uint64_t bytes) const override {
      const std::scoped_lock lock(disk_.mutex);
      vfs_.needed_.emplace_back(offset, bytes);
    }

   private:
    void put(std::span<const std::byte> data) {
      const std::scoped_lock lock(disk_.mutex);
      if (data.empty() || vfs_.buried_) return;
      if (node_->bytes.size() < at_ + data.size()) node_->bytes.resize(at_ + data.size());
      std::copy(data.begin(), data.end(), node_->bytes.begin() + static_cast<std::ptrdiff_t>(at_));
      disk_.log.push_back(
          {Change::Kind::kWrite, node_->id, path_, "", at_, {data.begin(), data.end()}});
      at_ += data.size();
    }

    MemoryVfs& vfs_;
    MemoryDisk& disk_;
    std::shared_ptr<MemoryNode> node_;
    std::string path_;
    std::uint64_t at_ = 0;
  };

  [[noreturn]] static void fail(const std::string& act, const std::string& path, int code) {
    throw zoo::Error(zoo::ErrorKind::kIo, act + " " + path, code);
  }

  std::shared_ptr<MemoryNode> node_of(const std::string& path) const {
    const auto found = disk_.names.find(path);
    if (found == disk_.names.end()) fail("find", path, ENOENT);
    return found->second;
  }

  void enter(const std::string& act, const std::string& path) {
    std::unique_lock lock(disk_.mutex);
    if (dead_ || faults_->dead) {
      buried_ = true;  // the half of a write in which it died was its last
      throw Crash{};
    }
    const long call = faults_->calls++;
    if (call == faults_->hook_at) {
      lock.unlock();
      std::exchange(faults_->hook, {})();
      lock.lock();
    }
    if (call == faults_->crash_at) {
      faults_->dead = true;
      throw Crash{};
    }
    if (faults_->fail_at >= 0 &&
        (call == faults_->fail_at || (faults_->stays && call > faults_->fail_at))) {
      ++faults_->failed;
      fail(act, path, faults_->code);
    }
  }

  MemoryDisk& disk_;
  Faults own_;
  Faults* faults_;
  bool dead_ = false;
  bool buried_ = false;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> needed_;
};
