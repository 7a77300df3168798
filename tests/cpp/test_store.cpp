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
  for (const auto& name : zoo::system_vfs().list(folder.path())) {
    if (name.ends_with(".safetensors")) names.insert(name);
  }
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
  CHECK(store.gather({}, keys_of(0, 6), "x", {std::as_writable_bytes(std::span(out))}) == 2);
  CHECK(out == std::vector<float>(18, -1.0f));
  CHECK(store.gather({}, keys_of(0, 6), "none", {std::as_writable_bytes(std::span(out))}) == 6);
  std::vector<std::uint8_t> has(6);
  store.contains(keys_of(0, 6), "x", has);
  CHECK((has == std::vector<std::uint8_t>{1, 1, 1, 1, 0, 0}));
}

std::size_t journals(const Folder& folder) {
  std::size_t count = 0;
  for (const auto& name : zoo::system_vfs().list(folder.path())) {
    count += name.ends_with(".journal") || name.ends_with(".recover") ? 1 : 0;
  }
  return count;
}

void full_and_old_rows_are_sealed() {
  const Folder folder;
  StoreOptions options;
  options.shard_bytes = 280;  // ten rows of a key and three floats
  Store store(folder.path(), options);
  append_rows(store, 0, 35);
  CHECK(store.shard_count() == 3 && has_rows(store, 0, 35) && journals(folder) == 1);
  options.seal_ns = 0;
  Store hasty(folder.path(), options);
  append_rows(hasty, 100, 1);
  CHECK(hasty.shard_count() == 4);
  store.flush({});
  CHECK(journals(folder) == 0);
}

// A folder as it is at this moment, as a writer that is killed leaves it.
void copy_folder(const Folder& from, const Folder& to) {
  for (const auto& name : zoo::system_vfs().list(from.path())) {
    std::filesystem::copy_file(from.file(name), to.file(name));
  }
}

void what_a_dead_writer_committed_is_recovered_once() {
  const Folder folder;
  const Folder after;
  Store store(folder.path());
  append_rows(store, 0, 5);
  store.flush({});
  append_rows(store, 5, 5);
  append_rows(store, 5, 5, 2, "y");
  copy_folder(folder, after);
  CHECK(journals(after) == 1);
  const Store heir(after.path());
  CHECK(journals(after) == 0 && heir.shard_count() == 3);
  CHECK(has_rows(heir, 0, 10) && has_rows(heir, 5, 5, 2, "y"));
  CHECK(heir.verify({}).damaged.empty());
}

void what_a_dead_writer_committed_in_another_shape_is_not_removed() {
  const Folder folder;
  const Folder after;
  Store store(folder.path());
  Store other(folder.path());
  append_rows(store, 0, 5, 3);
  append_rows(other, 0, 5, 2);
  append_rows(other, 0, 5, 2, "y");
  copy_folder(folder, after);
  for (int times = 0; times < 2; ++times) {
    const Store heir(after.path());
    CHECK(has_rows(heir, 0, 5, 3) && has_rows(heir, 0, 5, 2, "y"));
    CHECK(journals(after) == 1 && heir.verify({}).damaged.empty());
  }
}

void a_read_only_store_changes_nothing() {
  const Folder folder;
  const Folder after;
  Store store(folder.path());
  append_rows(store, 0, 5);
  copy_folder(folder, after);
  const auto before = zoo::system_vfs().list(after.path());
  StoreOptions options;
  options.read_only = true;
  Store reader(after.path(), options);
  CHECK(has_rows(reader, 0, 5) && zoo::system_vfs().list(after.path()) == before);
  CHECK_THROWS(append_rows(reader, 5, 1), ErrorKind::kInvalid);
  CHECK_THROWS(reader.compact({}), ErrorKind::kInvalid);
  reader.refresh();
  reader.close({});
  CHECK(zoo::system_vfs().list(after.path()) == before);
}

void a_journal_is_read_up_to_its_first_bad_byte() {
  const Folder folder;
  Store store(folder.path());
  append_rows(store, 0, 5);
  append_rows(store, 5, 5);
  std::string name;
  for (const auto& each : zoo::system_vfs().list(folder.path())) name = each;
  const std::string sound = read_file(folder.file(name));
  const auto recovered = [&](const std::string& bytes) {
    const Folder after;
    write_file(after.file(name), bytes);
    const Store heir(after.path());
    CHECK(journals(after) == 0);
    std::size_t rows = heir.columns().empty() ? 0 : heir.columns()[0].rows;
    CHECK(rows == 0 || has_rows(heir, 0, rows));
    return rows;
  };
  CHECK(recovered(sound) == 10);
  const std::size_t first_batch = 16 + (sound.size() - 16) / 2;
  for (std::size_t at = 0; at < sound.size(); ++at) {
    std::string bytes = sound;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x10);
    CHECK(recovered(bytes) == (at < first_batch ? 0u : 5u));
    CHECK(recovered(sound.substr(0, at)) == (at < first_batch ? 0u : 5u));
  }
  std::filesystem::copy_file(folder.file(name), folder.file("another-name.journal"));
  const Store heir(folder.path());  // batches count in the journal that they were written to alone
  CHECK(heir.columns().empty());
}

void a_writer_whose_journal_was_taken_over_writes_its_rows_anew() {
  const Folder folder;
  const Folder after;
  Store store(folder.path());
  append_rows(store, 0, 5);
  for (const auto& name : zoo::system_vfs().list(folder.path())) {
    std::filesystem::remove(folder.file(name));  // as another does, once it has sealed the rows
  }
  append_rows(store, 5, 5);
  copy_folder(folder, after);
  CHECK(has_rows(Store(after.path()), 0, 10));
}

void columns_of_one_append_share_a_shard() {
  const Folder folder;
  Store store(folder.path());
  const std::vector<float> a = values_of(0, 4, 3);
  const std::vector<float> b = values_of(50, 4, 2);
  const zoo::ColumnRows both[] = {column_of("a", a, 3), column_of("b", b, 2)};
  append_rows(store, 1, 1, 3, "a");
  CHECK(store.append({}, keys_of(0, 4), both) == 7);
  store.flush({});
  CHECK(store.shard_count() == 3);  // rows of a, of b, of both
  CHECK(has_rows(store, 0, 4, 3, "a") && store.append({}, keys_of(0, 4), both) == 0);
}

void ragged_and_scaled_rows_come_back() {
  const Folder folder;
  Store store(folder.path());
  const std::vector<std::int8_t> values = {1, 2, 3, 4, 5, 6};
  const std::vector<float> scales = {0.5f, 2.0f, 4.0f};
  const std::vector<std::int64_t> offsets = {0, 2, 2, 3};
  const zoo::ColumnRows column{
      {"t", zoo::DType::kI8, 2, true}, std::as_bytes(std::span(values)), offsets, scales};
  CHECK(store.append({}, keys_of(0, 3), {&column, 1}) == 3);
  for (int sealed = 0; sealed < 2; ++sealed) {
    const std::vector<zoo::RowKey> keys = {key_of(2), key_of(0), key_of(1)};
    std::vector<std::int64_t> lengths(3);
    CHECK(store.lengths({}, keys, "t", lengths) == 0);
    CHECK((lengths == std::vector<std::int64_t>{1, 2, 0}));
    const std::vector<std::int64_t> places = {0, 1, 3, 3};
    std::vector<std::int8_t> out(6);
    std::vector<float> out_scales(3);
    CHECK(store.gather({}, keys, "t",
                       {std::as_writable_bytes(std::span(out)), places, out_scales}) == 0);
    CHECK((out == std::vector<std::int8_t>{5, 6, 1, 2, 3, 4}));
    CHECK((out_scales == std::vector<float>{4.0f, 0.5f, 2.0f}));
    store.flush({});
  }
  zoo::Scan scan = store.scan("t");
  const auto size = scan.next(100);
  CHECK(size.rows == 3 && size.vectors == 3);
  std::vector<zoo::RowKey> keys(3);
  std::vector<std::int8_t> out(6);
  std::vector<float> out_scales(3);
  std::vector<std::int64_t> places(4);
  scan.read({}, keys, {std::as_writable_bytes(std::span(out)), {}, out_scales}, places);
  CHECK(keys == keys_of(0, 3) && out == values && out_scales == scales && places == offsets);
  CHECK(scan.next(100).rows == 0);
}

// What a scan gives, by the first value of each row.
std::multiset<float> scanned(const Store& store, std::size_t block) {
  std::multiset<float> seen;
  zoo::Scan scan = store.scan("x");
  for (auto size = scan.next(block); size.rows > 0; size = scan.next(block)) {
    std::vector<zoo::RowKey> keys(size.rows);
    std::vector<float> out(size.vectors * 3);
    scan.read({}, keys, {std::as_writable_bytes(std::span(out))});
    for (std::size_t i = 0; i < size.rows; ++i) {
      CHECK(keys[i] == key_of(static_cast<std::uint64_t>(out[3 * i])));
      seen.insert(out[3 * i]);
    }
  }
  return seen;
}

void a_scan_gives_each_row_once() {
  const Folder folder;
  Store store(folder.path());
  Store other(folder.path());
  append_rows(store, 0, 7);
  append_rows(other, 4, 9);
  store.flush({});
  other.flush({});  // rows 4, 5 and 6 are in two shards now
  other.refresh();
  append_rows(other, 20, 2);
  std::multiset<float> expected;
  for (const int number : {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 20, 21}) {
    expected.insert(static_cast<float>(number));
  }
  for (const std::size_t block : {1u, 3u, 100u}) CHECK(scanned(other, block) == expected);
  CHECK(store.scan("none").next(1).rows == 0);
}

void small_shards_become_one_under_a_reader() {
  const Folder folder;
  Store store(folder.path());
  for (std::uint64_t i = 0; i < 5; ++i) {
    append_rows(store, 3 * i, 4);
    store.flush({});
  }
  const Store reader(folder.path());
  zoo::Scan scan = reader.scan("x");
  const auto views = reader.views("x");
  append_rows(store, 100, 1);
  store.flush({});
  const auto report = store.compact({});
  CHECK(report.before == 6 && report.after == 1 && report.rows == 17);
  CHECK(shards(folder).size() == 1 && has_rows(store, 0, 16) && has_rows(store, 100, 1));
  CHECK(has_rows(reader, 0, 16));  // from files that are gone, or by another look at the folder
  CHECK(views.size() == 5 && views[4].keys.back() == key_of(15));
  CHECK(scan.next(100).rows > 0);
  CHECK(store.compact({}).before == 0);
  CHECK(store.verify({}).damaged.empty());
}

void a_scan_goes_on_when_its_shards_are_merged() {
  const Folder folder;
  Store store(folder.path());
  for (std::uint64_t i = 0; i < 8; ++i) {
    append_rows(store, i, 1);
    store.flush({});
  }
  zoo::Scan scan = store.scan("x");
  std::vector<zoo::RowKey> keys(1);
  std::vector<float> out(3);
  for (std::uint64_t i = 0; i < 8; ++i) {
    CHECK(scan.next(1).rows == 1);
    scan.read({}, keys, {std::as_writable_bytes(std::span(out))});
    CHECK(keys[0] == key_of(i) && out == values_of(i, 1, 3));
    if (i == 0) CHECK(Store(folder.path()).compact({}).before == 8);
  }
  CHECK(scan.next(1).rows == 0);
}

void a_scan_finds_what_another_process_has_merged() {
  const Folder folder;
  Store store(folder.path());
  std::multiset<float> expected;
  for (std::uint64_t i = 0; i < 3; ++i) {
    append_rows(store, i, 1);
    store.flush({});
    expected.insert(static_cast<float>(i));
  }
  CHECK(Store(folder.path()).compact({}).before == 3);
  CHECK(scanned(store, 10) == expected);
}

void a_writer_that_leaves_many_small_shards_merges_them() {
  const Folder folder;
  for (std::uint64_t i = 0; i < 16; ++i) {
    Store store(folder.path());
    append_rows(store, i, 1);
    store.close({});
  }
  CHECK(shards(folder).size() == 1 && has_rows(Store(folder.path()), 0, 16));
}

void a_vanished_shard_is_named_and_its_rows_are_absent_from_then_on() {
  const Folder folder;
  Store store(folder.path());
  append_rows(store, 0, 4);
  store.flush({});
  const std::string name = *shards(folder).begin();
  std::filesystem::remove(folder.file(name));
  std::vector<float> out(3);
  const auto read = [&] {
    return store.gather({}, keys_of(0, 1), "x", {std::as_writable_bytes(std::span(out))});
  };
  const std::string text = CHECK_THROWS((void)read(), ErrorKind::kCorrupt);
  CHECK(text.find(name) != std::string::npos);
  CHECK(read() == 1);
}

void the_index_and_the_search_agree() {
  const Folder folder;
  StoreOptions options;
  options.shard_bytes = 2000;
  {
    Store store(folder.path(), options);
    append_rows(store, 0, 2000);
  }
  for (const std::size_t at_once : {1u, 500u}) {
    const Store store(folder.path());
    for (std::uint64_t first = 0; first < 2500; first += at_once) {
      std::vector<std::uint8_t> has(at_once);
      store.contains(keys_of(first, at_once), "x", has);
      for (std::size_t i = 0; i < at_once; ++i) CHECK(has[i] == (first + i < 2000 ? 1 : 0));
    }
  }
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
    CHECK(store.gather({}, keys_of(1, 1), "x", {std::as_writable_bytes(std::span(out))}) == 0);
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
  options.resident_bytes = 2000;  // some shards' columns, not all
  Store store(folder.path(), options);
  append_rows(store, 0, 100);
  std::vector<zoo::RowKey> keys;
  std::vector<float> expected;
  for (std::uint64_t i = 0; i < 300; ++i) {
    const std::uint64_t number = (i * 37) % 100;
    keys.push_back(key_of(number));
    for (const float value : values_of(number, 1, 3)) expected.push_back(value);
  }
  for (const int threads : {1, 4, 1}) {
    std::vector<float> out(expected.size());
    zoo::Context context;
    context.threads = threads;
    CHECK(store.gather(context, keys, "x", {std::as_writable_bytes(std::span(out))}) == 0);
    CHECK(out == expected);
  }
}

void a_key_altered_under_a_resident_column_is_found() {
  const Folder folder;
  StoreOptions options;
  options.resident_bytes = 1 << 20;
  Store store(folder.path(), options);
  for (std::uint64_t i = 0; i < 2; ++i) {
    append_rows(store, 4 * i, 4);
    store.flush({});
  }
  CHECK(has_rows(store, 0, 8) && has_rows(store, 0, 8));
  const std::string name = *shards(folder).begin();
  std::string bytes = read_file(folder.file(name));
  const zoo::RowKey key = key_of(1);
  bytes[bytes.find(std::string(key.bytes.begin(), key.bytes.end()))] ^= 2;
  write_file(folder.file(name), bytes);
  CHECK_THROWS((void)scanned(store, 100), ErrorKind::kCorrupt);
  CHECK(store.compact({}).before == 0 && shards(folder).size() == 2);
}

}  // namespace

int main() {
  a_key_altered_under_a_resident_column_is_found();
  rows_are_seen_before_and_after_sealing_and_by_the_next_reader();
  missing_rows_are_counted_and_nothing_is_touched();
  full_and_old_rows_are_sealed();
  what_a_dead_writer_committed_is_recovered_once();
  what_a_dead_writer_committed_in_another_shape_is_not_removed();
  a_read_only_store_changes_nothing();
  a_journal_is_read_up_to_its_first_bad_byte();
  a_writer_whose_journal_was_taken_over_writes_its_rows_anew();
  columns_of_one_append_share_a_shard();
  ragged_and_scaled_rows_come_back();
  a_scan_gives_each_row_once();
  small_shards_become_one_under_a_reader();
  a_scan_goes_on_when_its_shards_are_merged();
  a_scan_finds_what_another_process_has_merged();
  a_writer_that_leaves_many_small_shards_merges_them();
  a_vanished_shard_is_named_and_its_rows_are_absent_from_then_on();
  the_index_and_the_search_agree();
  a_column_keeps_its_first_dtype_and_dim();
  the_lower_shard_name_wins_whichever_is_found_first();
  temporary_and_foreign_files_are_not_shards();
  a_damaged_shard_is_named_and_its_rows_can_be_written_anew();
  shuffled_and_repeated_keys_come_in_the_order_asked();
}
