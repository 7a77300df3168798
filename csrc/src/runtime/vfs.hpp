// Every call that the store makes to the operating system. Tests inject a Vfs that fails.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace zoo {

// An open file; closing it is the destructor's work. All functions throw Error(kIo) with the path,
// the system's words and its errno as os_code.
class File {
 public:
  File() = default;
  virtual ~File() = default;
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  [[nodiscard]] virtual std::uint64_t size() const = 0;
  // Fills `out` from `offset` on and returns the bytes read: fewer than asked only at the file's
  // end. Any number of threads may read one file.
  virtual std::size_t read_at(std::uint64_t offset, std::span<std::byte> out) const = 0;
  // Writes all of `data` at the end of what was written.
  virtual void write(std::span<const std::byte> data) = 0;
  // Takes the disk space for so many bytes before they are written, so that a full disk says so
  // first; does nothing where the file system can't. The file's size may grow at once.
  virtual void reserve(std::uint64_t bytes) = 0;
  // Asks the system to begin with writing out what was written so far; a hint.
  virtual void start_sync() = 0;
  // Returns once the file's bytes survive a loss of power.
  virtual void sync() = 0;
  // Takes the file's lock until it is closed; false where another open file has it. True, too,
  // where the system keeps no locks: they may save work, integrity never rests on them.
  [[nodiscard]] virtual bool lock() = 0;
  // Says that these bytes will be read soon; a hint.
  virtual void will_need(std::uint64_t offset, std::uint64_t bytes) const = 0;
};

// A file's bytes in memory, read-only, as long as it lives: of a file that has been unlinked too.
// Reading past what another process has truncated is a signal (SIGBUS): nothing of the engine's
// own reads goes through it.
class Mapping {
 public:
  Mapping() = default;
  virtual ~Mapping() = default;
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  [[nodiscard]] virtual std::span<const std::byte> bytes() const noexcept = 0;
};

class Vfs {
 public:
  Vfs() = default;
  virtual ~Vfs() = default;
  Vfs(const Vfs&) = delete;
  Vfs& operator=(const Vfs&) = delete;

  [[nodiscard]] virtual std::unique_ptr<File> open_read(const std::string& path) = 0;
  // Maps a whole file.
  [[nodiscard]] virtual std::unique_ptr<Mapping> map(const std::string& path) = 0;
  // Whether the path names a file now.
  [[nodiscard]] virtual bool exists(const std::string& path) = 0;
  // Makes a new file for writing; one that exists is an error.
  [[nodiscard]] virtual std::unique_ptr<File> create(const std::string& path) = 0;
  virtual void rename(const std::string& from, const std::string& to) = 0;
  virtual void remove(const std::string& path) = 0;
  // Makes the renames and removals in a folder survive a loss of power.
  virtual void sync_folder(const std::string& path) = 0;
  // The names in a folder, without . and .., in byte order.
  [[nodiscard]] virtual std::vector<std::string> list(const std::string& path) = 0;
  // How many files this process may have open now.
  [[nodiscard]] virtual std::size_t open_file_limit() { return 1024; }
  // Which process this is: a fork's child has another number.
  [[nodiscard]] virtual std::uint64_t process_id() { return 0; }
  // A clock that never goes back.
  [[nodiscard]] virtual std::uint64_t monotonic_ns() = 0;
  // A name that no other process on any machine makes, and that sorts by the time of its making:
  // 16 hex digits of nanoseconds since 1970, 8 of the process id, 16 random ones.
  [[nodiscard]] virtual std::string unique_stem() = 0;
};

// What an errno carried by Error::os_code says: the file does not exist; this process has too many
// files open; the folder can't be written to, now or ever, while reading it may go on.
[[nodiscard]] bool is_not_found(int os_code) noexcept;
[[nodiscard]] bool is_out_of_files(int os_code) noexcept;
[[nodiscard]] bool is_unwritable(int os_code) noexcept;

// The operating system itself; lives as long as the process.
Vfs& system_vfs();

}  // namespace zoo
