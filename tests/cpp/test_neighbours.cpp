// Neighbours on a line, where ties are many, and class means beside them.
#include "check.hpp"
#include "zoo/error.hpp"
#include "zoo/neighbours.hpp"
#include "zoo/prototype.hpp"

int main() {
  std::vector<float> train(500), queries(70);
  for (std::size_t i = 0; i < train.size(); ++i) train[i] = static_cast<float>(i % 10);
  for (std::size_t i = 0; i < queries.size(); ++i) queries[i] = static_cast<float>(i % 12);
  const zoo::MatrixView<float> from{train.data(), 500, 1, 1}, to{queries.data(), 70, 1, 1};
  for (const int threads : {1, 3}) {
    zoo::Context context;
    context.threads = threads;
    const auto found = zoo::nearest_neighbours<float>(context, from, to, 3);
    CHECK(found.count == 3);
    for (std::size_t i = 0; i < 70; ++i) {
      const std::size_t nearest = i % 12 < 10 ? i % 12 : 9;
      for (std::size_t c = 0; c < 3; ++c) {
        CHECK(found.rows[i * 3 + c] == static_cast<std::int64_t>(nearest + 10 * c));
      }
    }
  }
  const zoo::Context context;
  CHECK(zoo::nearest_neighbours<float>(context, from, {queries.data(), 0, 1, 1}, 3).rows.empty());
  CHECK(zoo::nearest_neighbours<float>(context, {train.data(), 2, 1, 1}, to, 9).count == 2);
  CHECK_THROWS(zoo::nearest_neighbours<float>(context, {train.data(), 0, 1, 1}, to, 1),
               zoo::ErrorKind::kInvalid);

  const std::vector<std::int64_t> codes = {0, 2, 2};
  const auto means = zoo::class_means<float>(context, {train.data(), 3, 1, 1}, {codes.data(), 3});
  CHECK(means.means == (std::vector<double>{0.0, 0.0, 1.5}));
  CHECK(means.masses == (std::vector<double>{1.0, 0.0, 2.0}));
  return 0;
}
