// Every file call of a write fails once, by a Vfs that stands before the system's.
#include <cerrno>
#include <memory>
#include <utility>

#include "check.hpp"
#include "folder.hpp"
#include "store_rows.hpp"
#include "zoo/store.hpp"

using zoo::ErrorKind;
using zoo::Store;
using zoo::StoreOptions;

namespace {

class FaultyVfs final : public zoo::Vfs {
 public:
  // The call of this number, from 0 on, fails with this errno; later ones too if `stays`.
  int fails_at = -1;
  int code = ENOSPC;
  bool stays = false;
  int calls = 0;

  void hit(const std::string& path) {
    const int call = calls++;
    if (fails_at >= 0 && (call == fails_at || (stays && call > fails_at))) {
      throw zoo::Error(ErrorKind::kIo, "fault on " + path, code);
    }
  }

  std::unique_ptr<zoo::File> open_read(const std::string& path) override {
    hit(path);
    return std::make_unique<FaultyFile>(*this, zoo::system_vfs().open_read(path), path);
  }
  std::unique_ptr<zoo::Mapping> map(const std::string& path) override {
    hit(path);
    return zoo::system_vfs().map(path);
  }
  bool exists(const std::string& path) override {
    hit(path);
    return zoo::system_vfs().exists(path);
  }
  std::unique_ptr<zoo::File> create(const std::string& path) override {
    hit(path);
    return std::make_unique<FaultyFile>(*this, zoo::system_vfs().create(path), path);
  }
  void rename(const std::string& from, const std::string& to) override {
    hit(from);
    zoo::system_vfs().rename(from, to);
  }
  void remove(const std::string& path) override {
    hit(path);
    zoo::system_vfs().remove(path);
  }
  void sync_folder(const std::string& path) override {
    hit(path);
    zoo::system_vfs().sync_folder(path);
  }
  std::vector<std::string> list(const std::string& path) override {
    hit(path);
    return zoo::system_vfs().list(path);
  }
  std::uint64_t monotonic_ns() override { return now_ns; }
  std::string unique_stem() override { return zoo::system_vfs().unique_stem(); }

  std::uint64_t now_ns = 0;

 private:
  class FaultyFile final : public zoo::File {
   public:
    FaultyFile(FaultyVfs& vfs, std::unique_ptr<zoo::File> file, std::string path)
        : vfs_(vfs), file_(std::move(file)), path_(std::move(path)) {}
    [[nodiscard]] std::uint64_t size() const override {
      vfs_.hit(path_);
      return file_->size();
    }
    std::size_t read_at(std::uint64_t offset, std::span<std::byte> out) const override {
      vfs_.hit(path_);
      return file_->read_at(offset, out);
    }
    void write(std::span<const std::byte> data) override {
      try {
        vfs_.hit(path_);
      } catch (const zoo::Error&) {  // a full disk takes the first half
        file_->write(data.first(data.size() / 2));
        throw;
      }
      file_->write(data);
    }
    void reserve(std::uint64_t bytes) override {
      vfs_.hit(path_);
      file_->reserve(bytes);
    }
    void start_sync() override { file_->start_sync(); }
    void sync() override {
      vfs_.hit(path_);
      file_->sync();
    }
    bool lock() override {
      vfs_.hit(path_);
      return file_->lock();
    }
    void will_need(std::uint64_t offset, std::uint64_t bytes) const override {
      file_->will_need(offset, bytes);
    }

   private:
    FaultyVfs& vfs_;
    std::unique_ptr<zoo::File> file_;
    std::string path_;
  };
};

void a_failed_write_is_an_error_and_costs_no_row(int code, bool stays) {
  int failures = 0;
  for (int n = 0;; ++n) {
    const Folder folder;
    FaultyVfs vfs;
    StoreOptions options;
    options.vfs = &vfs;
    Store store(folder.path(), options);
    append_rows(store, 0, 5);
    store.flush({});
    append_rows(store, 5, 5);
    vfs.calls = 0;
    vfs.fails_at = n;
    vfs.code = code;
    vfs.stays = stays;
    bool failed = false;
    try {
      store.flush({});
    } catch (const zoo::Error& error) {
      CHECK(error.kind() == ErrorKind::kIo && error.os_code() == code);
      failed = true;
    }
    // Others read what was sealed before, and whole shards alone.
    const Store reader(folder.path());
    CHECK(has_rows(reader, 0, 5) && reader.damaged().empty());
    CHECK(reader.verify({}).damaged.empty());
    vfs.fails_at = -1;
    CHECK(has_rows(store, 0, 10));
    store.flush({});
    CHECK(has_rows(Store(folder.path()), 0, 10));
    if (!failed) break;
    ++failures;
  }
  CHECK(failures >= 8);  // create, writes, fsync, rename, fsync of the folder
}

void a_failed_read_is_an_error_and_never_zeros() {
  for (int n = 0;; ++n) {
    const Folder folder;
    {
      Store store(folder.path());
      append_rows(store, 0, 5);
    }
    FaultyVfs vfs;
    vfs.fails_at = n;
    vfs.code = EIO;
    StoreOptions options;
    options.vfs = &vfs;
    try {
      const Store store(folder.path(), options);
      CHECK(has_rows(store, 0, 5));
    } catch (const zoo::Error& error) {
      CHECK(error.kind() == ErrorKind::kIo && error.os_code() == EIO);
      continue;
    }
    CHECK(n >= 8);
    break;
  }
}

void verify_reports_what_it_cannot_read() {
  const Folder folder;
  FaultyVfs vfs;
  StoreOptions options;
  options.vfs = &vfs;
  Store store(folder.path(), options);
  append_rows(store, 0, 5);
  store.flush({});
  vfs.calls = 0;
  vfs.fails_at = 4;
  vfs.code = EIO;
  CHECK(store.verify({}).damaged.size() == 1);
}

void a_buffer_is_sealed_at_its_age() {
  const Folder folder;
  FaultyVfs vfs;
  StoreOptions options;
  options.vfs = &vfs;
  Store store(folder.path(), options);
  append_rows(store, 0, 1);
  vfs.now_ns = options.seal_ns - 1;
  append_rows(store, 1, 1);
  CHECK(store.shard_count() == 0);
  vfs.now_ns = options.seal_ns;
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
  CHECK(store.shard_count() == 0 && has_rows(store, 0, 5));
  store.flush({});
  CHECK(has_rows(Store(folder.path()), 0, 5));
}

}  // namespace

int main() {
  for (const bool stays : {false, true}) {
    a_failed_write_is_an_error_and_costs_no_row(ENOSPC, stays);
    a_failed_write_is_an_error_and_costs_no_row(EIO, stays);
  }
  a_failed_read_is_an_error_and_never_zeros();
  verify_reports_what_it_cannot_read();
  a_buffer_is_sealed_at_its_age();
  an_interrupted_flush_keeps_its_rows();
}
