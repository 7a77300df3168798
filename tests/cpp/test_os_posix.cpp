#include <cerrno>
#include <set>
#include <vector>

#include "check.hpp"
#include "folder.hpp"
#include "runtime/vfs.hpp"

using zoo::ErrorKind;
using zoo::system_vfs;

namespace {

void what_is_written_is_read_back_by_offset() {
  const Folder folder;
  const std::string path = folder.file("a");
  const std::string text = "0123456789";
  {
    const auto file = system_vfs().create(path);
    file->write(std::as_bytes(std::span(text)));
    file->write(std::as_bytes(std::span(text)));
    file->sync();
  }
  const auto file = system_vfs().open_read(path);
  CHECK(file->size() == 20);
  std::string out(8, '?');
  CHECK(file->read_at(6, std::as_writable_bytes(std::span(out))) == 8 && out == "67890123");
  CHECK(file->read_at(16, std::as_writable_bytes(std::span(out))) == 4);
  CHECK(file->read_at(99, std::as_writable_bytes(std::span(out))) == 0);
}

void errors_name_the_path_and_carry_the_errno() {
  const Folder folder;
  const std::string path = folder.file("absent");
  const std::string text = CHECK_THROWS(system_vfs().open_read(path), ErrorKind::kIo);
  CHECK(text.find(path) != std::string::npos);
  CHECK(text.find("No such file") != std::string::npos);
  try {
    (void)system_vfs().open_read(path);
  } catch (const zoo::Error& error) {
    CHECK(error.os_code() == ENOENT && zoo::is_not_found(error.os_code()));
  }
  write_file(path, "x");
  CHECK_THROWS(system_vfs().create(path), ErrorKind::kIo);
  CHECK_THROWS(system_vfs().list(path), ErrorKind::kIo);
  CHECK_THROWS(system_vfs().sync_folder(folder.file("none")), ErrorKind::kIo);
}

void names_are_listed_in_order_and_stems_are_unique_and_ascend() {
  const Folder folder;
  for (const char* name : {"b", "a", ".c"}) write_file(folder.file(name), "");
  CHECK((system_vfs().list(folder.path()) == std::vector<std::string>{".c", "a", "b"}));
  std::set<std::string> stems;
  for (int i = 0; i < 1000; ++i) stems.insert(system_vfs().unique_stem());
  CHECK(stems.size() == 1000 && stems.begin()->size() == 42);
}

}  // namespace

int main() {
  what_is_written_is_read_back_by_offset();
  errors_name_the_path_and_carry_the_errno();
  names_are_listed_in_order_and_stems_are_unique_and_ascend();
}
