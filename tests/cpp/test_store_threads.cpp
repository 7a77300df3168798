// Threads on one store and several stores on one folder; run under ThreadSanitizer, too.
#include <atomic>
#include <thread>
#include <vector>

#include "check.hpp"
#include "folder.hpp"
#include "store_rows.hpp"
#include "zoo/store.hpp"

using zoo::Store;
using zoo::StoreOptions;

namespace {

void threads_share_a_store() {
  const Folder folder;
  StoreOptions options;
  options.shard_bytes = 16384;
  Store store(folder.path(), options);
  append_rows(store, 0, 100);
  store.flush({});
  std::vector<std::jthread> threads;
  for (std::uint64_t t = 1; t <= 2; ++t) {
    threads.emplace_back([&store, t] {
      for (std::uint64_t i = 0; i < 200; ++i) {
        append_rows(store, t * 10000 + i * 5, 5);
        CHECK(has_rows(store, t * 10000 + i * 5, 5));  // from memory, while the other appends
      }
    });
    threads.emplace_back([&store] {
      for (int i = 0; i < 100; ++i) CHECK(has_rows(store, 0, 100));
    });
  }
  threads.emplace_back([&store] {
    for (int i = 0; i < 20; ++i) store.refresh();
    CHECK(store.verify({}).damaged.empty());
  });
  threads.emplace_back([&store] {
    for (int i = 0; i < 20; ++i) {
      zoo::Scan scan = store.scan("x");
      std::size_t rows = 0;
      for (auto size = scan.next(64); size.rows > 0; size = scan.next(64)) {
        std::vector<zoo::RowKey> keys(size.rows);
        std::vector<float> out(size.rows * 3);
        scan.read({}, keys, {std::as_writable_bytes(std::span(out))});
        rows += size.rows;
      }
      CHECK(rows >= 100);
    }
  });
  threads.emplace_back([&store, &folder] {
    for (int i = 0; i < 20; ++i) {
      (void)store.compact({});
      CHECK(has_rows(Store(folder.path()), 0, 1));
    }
  });
  threads.clear();
  CHECK(has_rows(store, 10000, 1000) && has_rows(store, 20000, 1000));
}

void stores_share_a_folder() {
  const Folder folder;
  std::vector<std::jthread> threads;
  for (std::uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&folder, t] {
      StoreOptions options;
      options.shard_bytes = 2048;
      Store store(folder.path(), options);
      append_rows(store, t * 500, 1000);  // half of it is the next one's, too
      store.close({});
    });
  }
  threads.clear();
  const Store store(folder.path());
  CHECK(has_rows(store, 0, 2500) && store.damaged().empty());
  zoo::Context context;
  context.threads = 4;
  CHECK(store.verify(context).damaged.empty());
}

}  // namespace

int main() {
  threads_share_a_store();
  stores_share_a_folder();
}
