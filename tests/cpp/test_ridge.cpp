// Ridge on rows that are orthogonal by construction, where the answer is written down.
#include <cmath>

#include "check.hpp"
#include "zoo/error.hpp"
#include "zoo/ridge.hpp"

int main() {
  // One column, centred: w_c = sum_i y_ic z_i / (sum_i z_i^2 + strength * n).
  const std::vector<double> z = {-2.0, -1.0, 1.0, 2.0};
  const std::vector<std::int64_t> codes = {0, 0, 1, 1};
  zoo::Context context;
  context.threads = 2;
  const zoo::Labels labels{codes.data(), 2, nullptr};
  const auto path = zoo::ridge_path(context, {z.data(), 4, 1, 1}, labels, {1.0, 0.5}, true);
  CHECK(path.size() == 2);
  CHECK(std::abs(path[0].weights[1] - 3.0 / (10.0 + 4.0)) < 1e-15);
  CHECK(std::abs(path[1].weights[0] + 3.0 / (10.0 + 2.0)) < 1e-15);
  CHECK(path[0].intercepts[0] == 0.5);
  // Row 3 left out: leverage 1/4 + 4/14, residual 1 - 1/2 - 2 * 3/14.
  const double residual = (0.5 - 6.0 / 14.0) / (1.0 - 0.25 - 4.0 / 14.0);
  CHECK(std::abs(path[0].left_out[7] - (1.0 - residual)) < 1e-14);
  CHECK(path[0].loss > 0.0 && std::isfinite(path[0].inverse_temperature));
  const std::vector<std::int64_t> lone(4, 0);
  CHECK_THROWS(zoo::ridge_path(context, {z.data(), 4, 1, 1}, {lone.data(), 2}, {1.0}),
               zoo::ErrorKind::kInvalid);
  return 0;
}
