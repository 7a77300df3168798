#include <set>
#include <string>
#include <vector>

#include "check.hpp"
#include "folder.hpp"
#include "store_rows.hpp"
#include "zoo/store.hpp"

using zoo::ErrorKind;
using zoo::Store;
using zoo::StoreOptions;

namespace {

std::set<std::string> shards(const Folder& folder) {
  std::set<std::string> names;
  for (const auto& name : zoo::system_vfs().list(folder.path())) names.insert(name);
  return names;
}

void rows_are_seen_before_and_after_sealing_and_by_the_next_reader() {
  const Folder folder;
  Store store(folder.path());
  CHECK(append_rows(store, 0, 10) == 10 && has_rows(store, 0, 10) && shards(folder).empty());
  CHECK(append_rows(store, 5, 10) == 5);
  store.flush({});
  CHECK(shards(folder).size() == 1 && has_rows(store, 0, 15));
  CHECK(append_rows(store, 0, 15) == 0);
  const Store reader(folder.path());
  CHECK(has_rows(reader, 0, 15) && reader.columns().at(0).rows == 15);
  CHECK(reader.verify({}).damaged.empty() && reader.verify({}).rows == 15);
}

void missing_rows_are_counted_and_nothing_is_touched() {
  const Folder folder;
  Store store(folder.path());
  append_rows(store, 0, 4);
  std::vector<float> out(6 * 3, -1.0f);
  CHECK(store.gather({}, keys_of(0, 6), "x", std::as_writable_bytes(std::span(out))) == 2);
  CHECK(out == std::vector<float>(18, -1.0f));
  CHECK(store.gather({}, keys_of(0, 6), "none", std::as_writable_bytes(std::span(out))) == 6);
  std::vector<std::uint8_t> has(6);
  store.contains(keys_of(0, 6), "x", has);
  CHECK((has == std::vector<std::uint8_t>{1, 1, 1, 1, 0, 0}));
}

void full_and_old_buffers_are_sealed() {
  const Folder folder;
  StoreOptions options;
  options.shard_bytes = 120;  // ten rows of three floats
  Store store(folder.path(), options);
  append_rows(store, 0, 35);
  CHECK(store.shard_count() == 3 && has_rows(store, 0, 35));
  options.seal_ns = 0;
  Store hasty(folder.path(), options);
  append_rows(hasty, 100, 1);
  CHECK(hasty.shard_count() == 4);
}

void a_column_keeps_its_first_dtype_and_dim() {
  const Folder folder;
  Store store(folder.path());
  append_rows(store, 0, 2, 3);
  CHECK_THROWS(append_rows(store, 5, 2, 4), ErrorKind::kInvalid);
  store.close({});
  CHECK_THROWS(append_rows(store, 5, 2, 3), ErrorKind::kInvalid);
  CHECK(has_rows(store, 0, 2));
}

void the_lower_shard_name_wins_whichever_is_found_first() {
  const Folder folder;
  Store late(folder.path());
  {
    Store other(folder.path());  // the same key with other values, as an unequal machine gives
    const std::vector<float> values = {7, 8, 9};
    const zoo::ColumnRows column = column_of("x", values, 3);
    other.append({}, keys_of(1, 1), {&column, 1});
    other.close({});
  }
  append_rows(late, 0, 3);
  late.flush({});
  const auto names = shards(folder);
  CHECK(names.size() == 2 && has_rows(late, 0, 3));
  const auto first_value = [&](const Store& store) {
    std::vector<float> out(3);
    CHECK(store.gather({}, keys_of(1, 1), "x", std::as_writable_bytes(std::span(out))) == 0);
    return out[0];
  };
  late.refresh();
  CHECK(first_value(late) == 7.0f && first_value(Store(folder.path())) == 7.0f);
  std::filesystem::rename(folder.file(*names.begin()),
                          folder.file("z" + *names.begin()));  // now it is the higher one
  late.refresh();
  CHECK(first_value(late) == 1.0f);
}

void temporary_and_foreign_files_are_not_shards() {
  const Folder folder;
  write_file(folder.file("0-0-0.safetensors.tmp"), "half");
  write_file(folder.file("key.json"), "{}");
  const Store store(folder.path());
  CHECK(store.shard_count() == 0 && store.damaged().empty());
  CHECK(store.verify({}).shards == 0);
}

void a_damaged_shard_is_named_and_its_rows_can_be_written_anew() {
  const Folder folder;
  {
    Store store(folder.path());
    append_rows(store, 0, 3);
  }
  const std::string name = *shards(folder).begin();
  write_file(folder.file(name), read_file(folder.file(name)).substr(0, 200));
  Store store(folder.path());
  CHECK(store.damaged().at(0).shard == name && store.columns().empty());
  CHECK(store.verify({}).damaged.at(0).shard == name);
  CHECK(append_rows(store, 0, 3) == 3);
  store.flush({});
  CHECK(has_rows(Store(folder.path()), 0, 3));
}

void shuffled_and_repeated_keys_come_in_the_order_asked() {
  const Folder folder;
  StoreOptions options;
  options.shard_bytes = 300;
  Store store(folder.path(), options);
  append_rows(store, 0, 100);
  std::vector<zoo::RowKey> keys;
  std::vector<float> expected;
  for (std::uint64_t i = 0; i < 300; ++i) {
    const std::uint64_t number = (i * 37) % 100;
    keys.push_back(key_of(number));
    for (const float value : values_of(number, 1, 3)) expected.push_back(value);
  }
  for (const int threads : {1, 4}) {
    std::vector<float> out(expected.size());
    zoo::Context context;
    context.threads = threads;
    CHECK(store.gather(context, keys, "x", std::as_writable_bytes(std::span(out))) == 0);
    CHECK(out == expected);
  }
}

}  // namespace

int main() {
  rows_are_seen_before_and_after_sealing_and_by_the_next_reader();
  missing_rows_are_counted_and_nothing_is_touched();
  full_and_old_buffers_are_sealed();
  a_column_keeps_its_first_dtype_and_dim();
  the_lower_shard_name_wins_whichever_is_found_first();
  temporary_and_foreign_files_are_not_shards();
  a_damaged_shard_is_named_and_its_rows_can_be_written_anew();
  shuffled_and_repeated_keys_come_in_the_order_asked();
}
