// The Vfs of POSIX systems: the one place of the core that calls the operating system.
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <random>
#include <system_error>
#include <utility>

#include "runtime/memory.hpp"
#include "runtime/vfs.hpp"
#include "zoo/error.hpp"

namespace zoo {
namespace {

// Linux moves at most 0x7ffff000 bytes a call, macOS refuses more than INT_MAX.
constexpr std::size_t kMaxTransfer = std::size_t{1} << 30;

[[noreturn]] void fail(const char* act, const std::string& path, int code) {
  throw Error(ErrorKind::kIo,
              std::string(act) + " " + path + ": " + std::generic_category().message(code), code);
}

// Calls again for as long as a signal cuts the call short.
template <typename Call>
auto retry(const Call& call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

class Descriptor {
 public:
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  // Not retried after EINTR: on Linux the descriptor is gone by then, and may be another's.
  ~Descriptor() { (void)::close(fd_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const noexcept { return fd_; }

 private:
  int fd_;
};

class PosixFile final : public File {
 public:
  PosixFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}

  [[nodiscard]] std::uint64_t size() const override {
    struct stat status = {};
    if (::fstat(fd_.get(), &status) != 0) fail("stat", path_, errno);
    return static_cast<std::uint64_t>(status.st_size);
  }

  std::size_t read_at(std::uint64_t offset, std::span<std::byte> out) const override {
    std::size_t done = 0;
    while (done < out.size()) {
      const std::size_t count = std::min(out.size() - done, kMaxTransfer);
      const auto got = retry([&] {
        return ::pread(fd_.get(), out.data() + done, count, static_cast<off_t>(offset + done));
      });
      if (got < 0) fail("read", path_, errno);
      if (got == 0) break;
      done += static_cast<std::size_t>(got);
    }
    return done;
  }

  void write(std::span<const std::byte> data) override {
    while (!data.empty()) {
      const std::size_t count = std::min(data.size(), kMaxTransfer);
      const auto put = retry([&] { return ::write(fd_.get(), data.data(), count); });
      if (put < 0) fail("write", path_, errno);
      if (put == 0) fail("write", path_, EIO);  // POSIX allows it; asking for ever would hang
      data = data.subspan(static_cast<std::size_t>(put));
      written_ += static_cast<std::uint64_t>(put);
    }
  }

  void reserve(std::uint64_t bytes) override {
#ifdef __linux__
    // fallocate, not posix_fallocate: where a file system has none, the C library would write
    // into every block of the file instead.
    if (retry([&] { return ::fallocate(fd_.get(), 0, 0, static_cast<off_t>(bytes)); }) == 0) return;
    if (errno != EOPNOTSUPP && errno != ENOSYS && errno != EINVAL) fail("reserve", path_, errno);
#else
    (void)bytes;
#endif
  }

  void start_sync() override {
#ifdef __linux__
    const std::uint64_t from = std::exchange(started_, written_);
    (void)::sync_file_range(fd_.get(), static_cast<off_t>(from),
                            static_cast<off_t>(written_ - from), SYNC_FILE_RANGE_WRITE);
#endif
  }

  void sync() override {
#ifdef F_FULLFSYNC  // fsync on macOS stops at the drive's cache
    if (::fcntl(fd_.get(), F_FULLFSYNC) == 0) return;
#endif
    if (retry([&] { return ::fsync(fd_.get()); }) != 0) fail("fsync", path_, errno);
  }

  bool lock() override {
    if (retry([&] { return ::flock(fd_.get(), LOCK_EX | LOCK_NB); }) == 0) return true;
    if (errno == EWOULDBLOCK) return false;
    if (errno == ENOLCK || errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL ||
        errno == EBADF) {
      return true;
    }
    fail("lock", path_, errno);
  }

  void will_need(std::uint64_t offset, std::uint64_t bytes) const override {
#ifdef POSIX_FADV_WILLNEED
    (void)::posix_fadvise(fd_.get(), static_cast<off_t>(offset), static_cast<off_t>(bytes),
                          POSIX_FADV_WILLNEED);
#else
    (void)offset, (void)bytes;
#endif
  }

 private:
  Descriptor fd_;
  std::string path_;
  std::uint64_t written_ = 0;
  [[maybe_unused]] std::uint64_t started_ = 0;
};

class PosixMapping final : public Mapping {
 public:
  PosixMapping(int fd, const std::string& path) {
    struct stat status = {};
    if (::fstat(fd, &status) != 0) fail("stat", path, errno);
    size_ = static_cast<std::size_t>(status.st_size);
    if (size_ == 0) return;  // mmap takes no empty range
    data_ = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, fd, 0);
    if (data_ == MAP_FAILED) fail("map", path, errno);
  }
  ~PosixMapping() override {
    if (size_ > 0) (void)::munmap(data_, size_);
  }
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept override {
    return {static_cast<const std::byte*>(data_), size_};
  }

 private:
  void* data_ = nullptr;
  std::size_t size_ = 0;
};

class PosixVfs final : public Vfs {
 public:
  std::unique_ptr<File> open_read(const std::string& path) override {
    return open(path, O_RDONLY, "open");
  }

  std::unique_ptr<Mapping> map(const std::string& path) override {
    const Descriptor fd(open_descriptor(path, O_RDONLY, "open"));
    return std::make_unique<PosixMapping>(fd.get(), path);
  }

  bool exists(const std::string& path) override {
    struct stat status = {};
    if (::lstat(path.c_str(), &status) == 0) return true;
    if (errno != ENOENT && errno != ENOTDIR) fail("stat", path, errno);
    return false;
  }

  std::unique_ptr<File> create(const std::string& path) override {
    return open(path, O_WRONLY | O_CREAT | O_EXCL, "create");
  }

  void rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) fail("rename", from, errno);
  }

  void remove(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) fail("remove", path, errno);
  }

  void sync_folder(const std::string& path) override {
    const auto folder = open(path, O_RDONLY | O_DIRECTORY, "open");
    try {
      folder->sync();
    } catch (const Error& error) {
      // Some network file systems know no fsync of folders; renames there are durable or never are.
      if (error.os_code() != EINVAL && error.os_code() != ENOTSUP) throw;
    }
  }

  std::vector<std::string> list(const std::string& path) override {
    const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(path.c_str()), &::closedir);
    if (!folder) fail("list", path, errno);
    std::vector<std::string> names;
    for (;;) {
      errno = 0;
      const dirent* entry = ::readdir(folder.get());
      if (entry == nullptr) {
        if (errno != 0) fail("list", path, errno);
        break;
      }
      std::string name = entry->d_name;
      if (name != "." && name != "..") names.push_back(std::move(name));
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  std::size_t open_file_limit() override {
    struct rlimit limit = {};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 64;
    return static_cast<std::size_t>(std::min<rlim_t>(limit.rlim_cur, 1 << 20));
  }

  std::uint64_t process_id() override { return static_cast<std::uint64_t>(::getpid()); }

  std::uint64_t monotonic_ns() override {
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                          std::chrono::steady_clock::now().time_since_epoch())
                                          .count());
  }

  std::string unique_stem() override {
    const auto now = std::chrono::duration_cast<std::chrono::nanoseconds>(
                         std::chrono::system_clock::now().time_since_epoch())
                         .count();
    std::random_device random;  // asked anew each time: a generator's state is copied by fork
    const std::uint64_t high = random();
    const std::uint64_t bits = (high << 32) | random();
    char text[64];
    (void)std::snprintf(text, sizeof text, "%016llx-%08lx-%016llx",
                        static_cast<unsigned long long>(now),
                        static_cast<unsigned long>(::getpid()) & 0xfffffffful,
                        static_cast<unsigned long long>(bits));
    return text;
  }

 private:
  static int open_descriptor(const std::string& path, int flags, const char* act) {
    const int fd = retry([&] { return ::open(path.c_str(), flags | O_CLOEXEC, 0666); });
    if (fd < 0) fail(act, path, errno);
    return fd;
  }

  static std::unique_ptr<File> open(const std::string& path, int flags, const char* act) {
    return std::make_unique<PosixFile>(open_descriptor(path, flags, act), path);
  }
};

}  // namespace

void* allocate_large(std::size_t bytes) {
  constexpr std::size_t kLarge = std::size_t{2} << 20;
  const std::size_t rounded = (bytes + kLarge - 1) / kLarge * kLarge;
  void* memory = std::aligned_alloc(kLarge, std::max(rounded, kLarge));
  if (memory == nullptr) throw std::bad_alloc();
#ifdef MADV_HUGEPAGE
  (void)::madvise(memory, rounded, MADV_HUGEPAGE);  // a hint
#endif
  return memory;
}

void free_large(void* memory) noexcept { std::free(memory); }

bool is_not_found(int os_code) noexcept { return os_code == ENOENT || os_code == ENOTDIR; }

bool is_out_of_files(int os_code) noexcept { return os_code == EMFILE || os_code == ENFILE; }

bool is_unwritable(int os_code) noexcept {
  return os_code == EROFS || os_code == EACCES || os_code == EPERM || os_code == ENOSPC ||
         os_code == EDQUOT;
}

Vfs& system_vfs() {
  static PosixVfs vfs;
  return vfs;
}

}  // namespace zoo
