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

// Rows of every kind side by side: row i of "t" has i % 3 vectors.
std::string all_kinds(const Folder& folder) {
  const std::vector<float> a = values_of(0, kRows, 5);
  const std::vector<float> b = values_of(100, kRows, 2);
  const std::vector<std::uint16_t> c(kRows * 3, 0x3F80);
  const std::vector<std::int8_t> q(kRows * 4, -3);
  const std::vector<float> scales(kRows, 0.5f);
  const std::vector<float> t = values_of(200, 6, 2);
  const std::vector<std::int64_t> offsets = {0, 0, 1, 3, 3, 4, 6, 6};
  const zoo::ColumnRows columns[] = {
      column_of("a", a, 5),
      column_of("b", b, 2),
      {{"c", zoo::DType::kBF16, 3}, std::as_bytes(std::span(c))},
      {{"q", zoo::DType::kI8, 4}, std::as_bytes(std::span(q)), {}, scales},
      {{"t", zoo::DType::kF32, 2, true}, std::as_bytes(std::span(t)), offsets}};
  return zoo::detail::write_shard({}, zoo::system_vfs(), folder.path(), keys_of(0, kRows), columns)
      .name;
}

void one_column_is_read_and_checked_without_the_others() {
  const Folder folder;
  const std::string name = all_kinds(folder);
  const std::vector<zoo::RowKey> keys = {key_of(5), key_of(2), key_of(3)};
  std::vector<WantedRow> wanted = {{2, 1}, {3, 2}, {5, 0}};
  std::vector<float> out(3 * 2);
  const auto read = [&] {
    const Shard shard(zoo::system_vfs(), folder.path(), name);
    shard.read_rows({}, *shard.layout().find("b"), wanted, keys,
                    {std::as_writable_bytes(std::span(out))});
  };
  read();
  const std::vector<float> expected = {105, 105 + 1 / 1024.0f, 102, 102 + 1 / 1024.0f,
                                       103, 103 + 1 / 1024.0f};
  CHECK(out == expected);

  const Shard shard(zoo::system_vfs(), folder.path(), name);
  const std::string sound = read_file(folder.file(name));
  std::string bytes = sound;
  bytes[shard.layout().columns[0].values_offset + 3 * 20] ^= 1;  // row 3 of another column
  write_file(folder.file(name), bytes);
  read();
  bytes = sound;
  bytes[shard.layout().columns[1].values_offset + 3 * 8] ^= 1;
  write_file(folder.file(name), bytes);
  const std::string text = CHECK_THROWS(read(), ErrorKind::kCorrupt);
  CHECK(text.find(name) != std::string::npos && text.find("row 3") != std::string::npos);
}

void ragged_rows_come_with_their_lengths() {
  const Folder folder;
  const Shard shard(zoo::system_vfs(), folder.path(), all_kinds(folder));
  const auto& column = *shard.layout().find("t");
  const std::vector<zoo::RowKey> keys = {key_of(5), key_of(3), key_of(1), key_of(5)};
  std::vector<WantedRow> wanted = {{5, 3}, {1, 2}, {3, 1}, {5, 0}};
  std::vector<std::int64_t> lengths(4);
  shard.read_lengths(column, wanted, lengths);
  CHECK((lengths == std::vector<std::int64_t>{2, 0, 1, 2}));
  const std::vector<std::int64_t> offsets = {0, 2, 2, 3, 5};
  std::vector<float> out(5 * 2);
  shard.read_rows({}, column, wanted, keys, {std::as_writable_bytes(std::span(out)), offsets});
  std::vector<float> expected = values_of(204, 2, 2);
  for (const float value : values_of(200, 1, 2)) expected.push_back(value);
  for (const float value : values_of(204, 2, 2)) expected.push_back(value);
  CHECK(out == expected);
  const std::vector<std::int64_t> others = {0, 2, 3, 3, 5};
  CHECK_THROWS(
      shard.read_rows({}, column, wanted, keys, {std::as_writable_bytes(std::span(out)), others}),
      ErrorKind::kInvalid);
}

void a_key_is_found_by_search() {
  const Folder folder;
  std::vector<zoo::RowKey> keys;
  std::uint64_t state = 1;
  for (std::uint64_t i = 0; i < 500; ++i) {  // random keys, and a run of neighbours among them
    state = state * 6364136223846793005u + 1442695040888963407u;
    keys.push_back(i % 2 == 0 ? key_of(state) : key_of(i << 48));
  }
  const std::vector<float> values = values_of(0, keys.size(), 1);
  const zoo::ColumnRows column = column_of("x", values, 1);
  const Shard shard(
      zoo::system_vfs(), folder.path(),
      zoo::detail::write_shard({}, zoo::system_vfs(), folder.path(), keys, {&column, 1}));
  for (std::uint32_t i = 0; i < keys.size(); ++i) CHECK(shard.search(keys[i]) == i);
  for (std::uint64_t i = 0; i < 500; ++i) CHECK(!shard.search(key_of((i << 48) + 1)));
  shard.verify({});
}

void a_shard_has_each_key_once() {
  const Folder folder;
  const std::vector<zoo::RowKey> keys = {key_of(1), key_of(2), key_of(1)};
  const std::vector<float> values = values_of(0, 3, 1);
  const zoo::ColumnRows column = column_of("x", values, 1);
  CHECK_THROWS(
      (void)zoo::detail::write_shard({}, zoo::system_vfs(), folder.path(), keys, {&column, 1}),
      ErrorKind::kInvalid);
}

void verify_finds_a_flip_of_any_bit() {
  const Folder folder;
  const std::string name = all_kinds(folder);
  const std::string sound = read_file(folder.file(name));
  const auto verify = [&] { Shard(zoo::system_vfs(), folder.path(), name).verify({}); };
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
  const std::string name = all_kinds(folder);
  const std::string sound = read_file(folder.file(name));
  for (std::size_t length = 0; length < sound.size(); ++length) {
    write_file(folder.file(name), sound.substr(0, length));
    CHECK_THROWS(Shard(zoo::system_vfs(), folder.path(), name), ErrorKind::kCorrupt);
  }
}

void a_cut_after_opening_is_an_error_too() {
  const Folder folder;
  const std::string name = all_kinds(folder);
  const Shard shard(zoo::system_vfs(), folder.path(), name);
  const auto read = [&] {
    std::vector<zoo::RowKey> keys(kRows);
    std::vector<float> out(kRows * 5);
    shard.read_block({}, shard.layout().columns[0], 0, keys,
                     {std::as_writable_bytes(std::span(out))});
  };
  const std::string sound = read_file(folder.file(name));
  write_file(folder.file(name), sound.substr(0, sound.size() / 2));  // cuts the open file
  CHECK_THROWS(read(), ErrorKind::kCorrupt);
  shard.close_file();
  CHECK_THROWS(read(), ErrorKind::kCorrupt);
  CHECK_THROWS((void)shard.map(), ErrorKind::kCorrupt);
  std::filesystem::remove(folder.file(name));
  shard.close_file();
  CHECK_THROWS(read(), ErrorKind::kIo);
}

void a_removed_shard_stays_readable_while_it_is_open() {
  const Folder folder;
  const Shard shard(zoo::system_vfs(), folder.path(), all_kinds(folder));
  const auto mapping = shard.map();
  std::filesystem::remove(folder.file(shard.name()));
  CHECK(shard.read_keys() == keys_of(0, kRows));
  CHECK(std::memcmp(mapping->bytes().data() + shard.layout().key_offset, keys_of(0, kRows).data(),
                    16 * kRows) == 0);
}

}  // namespace

int main() {
  one_column_is_read_and_checked_without_the_others();
  ragged_rows_come_with_their_lengths();
  a_key_is_found_by_search();
  a_shard_has_each_key_once();
  verify_finds_a_flip_of_any_bit();
  every_cut_is_refused();
  a_cut_after_opening_is_an_error_too();
  a_removed_shard_stays_readable_while_it_is_open();
}
