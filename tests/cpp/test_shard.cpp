#include <vector>

#include "check.hpp"
#include "folder.hpp"
#include "store/shard.hpp"
#include "store_rows.hpp"

using zoo::ErrorKind;
using zoo::detail::Shard;
using zoo::detail::WantedRow;

namespace {

constexpr std::size_t kRows = 7;

// Two columns in one shard, which the store itself does not write but must read.
std::string two_columns(const Folder& folder) {
  const std::vector<float> a = values_of(0, kRows, 5);
  const std::vector<float> b = values_of(100, kRows, 2);
  const std::vector<std::uint16_t> c(kRows * 3, 0x3F80);
  const zoo::ColumnRows columns[] = {column_of("a", a, 5),
                                     column_of("b", b, 2),
                                     {{"c", zoo::DType::kBF16, 3}, std::as_bytes(std::span(c))}};
  return zoo::detail::write_shard({}, zoo::system_vfs(), folder.path(), keys_of(0, kRows), columns)
      .name;
}

void one_column_is_read_and_all_are_checked() {
  const Folder folder;
  const std::string name = two_columns(folder);
  const std::vector<zoo::RowKey> keys = {key_of(5), key_of(2), key_of(3)};
  const std::vector<WantedRow> wanted = {{2, 1}, {3, 2}, {5, 0}};
  std::vector<float> out(3 * 2);
  const auto read = [&] {
    const Shard shard(zoo::system_vfs(), folder.path(), name);
    shard.read_rows({}, zoo::system_vfs(), *shard.layout().find("b"), wanted, keys,
                    reinterpret_cast<std::byte*>(out.data()));
  };
  read();
  const std::vector<float> expected = {105, 105 + 1 / 1024.0f, 102, 102 + 1 / 1024.0f,
                                       103, 103 + 1 / 1024.0f};
  CHECK(out == expected);

  const Shard shard(zoo::system_vfs(), folder.path(), name);
  std::string bytes = read_file(folder.file(name));
  bytes[shard.layout().columns[0].offset + 3 * 20] ^= 1;  // row 3 of the column not asked for
  write_file(folder.file(name), bytes);
  const std::string text = CHECK_THROWS(read(), ErrorKind::kCorrupt);
  CHECK(text.find(name) != std::string::npos && text.find("row 3") != std::string::npos);
}

void verify_finds_a_flip_of_any_bit() {
  const Folder folder;
  const std::string name = two_columns(folder);
  const std::string sound = read_file(folder.file(name));
  const auto verify = [&] {
    Shard(zoo::system_vfs(), folder.path(), name).verify({}, zoo::system_vfs());
  };
  verify();
  for (std::size_t at = 0; at < sound.size(); ++at) {
    std::string bytes = sound;
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << (at % 8)));
    write_file(folder.file(name), bytes);
    CHECK_THROWS(verify(), ErrorKind::kCorrupt);
  }
}

void every_cut_is_refused() {
  const Folder folder;
  const std::string name = two_columns(folder);
  const std::string sound = read_file(folder.file(name));
  for (std::size_t length = 0; length < sound.size(); ++length) {
    write_file(folder.file(name), sound.substr(0, length));
    CHECK_THROWS(Shard(zoo::system_vfs(), folder.path(), name), ErrorKind::kCorrupt);
  }
}

void a_cut_after_opening_is_an_error_too() {
  const Folder folder;
  const std::string name = two_columns(folder);
  const Shard shard(zoo::system_vfs(), folder.path(), name);
  const std::string sound = read_file(folder.file(name));
  write_file(folder.file(name), sound.substr(0, sound.size() / 2));
  CHECK_THROWS(shard.read_keys(zoo::system_vfs()), ErrorKind::kCorrupt);
  std::filesystem::remove(folder.file(name));
  CHECK_THROWS(shard.read_keys(zoo::system_vfs()), ErrorKind::kIo);
}

}  // namespace

int main() {
  one_column_is_read_and_all_are_checked();
  verify_finds_a_flip_of_any_bit();
  every_cut_is_refused();
  a_cut_after_opening_is_an_error_too();
}
