// A writer's journal: batches of rows with checksums, written before append() returns.
//
// Its bytes are described in csrc/README.md. It is never fsynced: it outlives its process, not a
// loss of power. Who takes one over renames it first; the writer, if it lives, looks after each
// write whether its journal still has its name, and calls a batch committed only if so. Thus a
// batch that a writer has called committed was in the file when the other began to read it, and no
// lock is needed for that.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "runtime/vfs.hpp"
#include "zoo/store.hpp"

namespace zoo::detail {

inline constexpr std::string_view kJournalSuffix = ".journal";
inline constexpr std::string_view kRecoverSuffix = ".recover";

inline constexpr std::size_t kMaxColumns = 64;  // of a batch: the bits of a mask

[[nodiscard]] bool is_journal_name(std::string_view name) noexcept;  // of either suffix

class Journal {
 public:
  // Makes a new one in the folder and takes its lock.
  Journal(Vfs& vfs, const std::string& folder);

  // Writes one batch. False where the journal was taken over: then
  // the batch may be lost with it. After an error nothing more may be written.
  [[nodiscard]] bool write(std::span<const RowKey> keys, std::span<const ColumnRows> columns);
  // Unlinks it; what is gone already is no error.
  void remove();
  [[nodiscard]] const std::string& name() const noexcept { return name_; }

 private:
  Vfs& vfs_;
  std::string name_;
  std::string path_;
  std::unique_ptr<File> file_;
  std::uint64_t batches_ = 0;
};

// Gives each sound batch of a journal, in order, until its end or the first that is not whole.
// `name` is the file's present name. Throws Error(kIo) where the file can't be read.
void read_journal(
    const File& file, std::string_view name,
    const std::function<void(std::span<const RowKey>, std::span<const ColumnRows>)>& take);

}  // namespace zoo::detail
