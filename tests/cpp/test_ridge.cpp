// Ridge on rows that are orthogonal by construction, where the answer is written down.
#include <cmath>
#include <limits>

#include "check.hpp"
#include "zoo/error.hpp"
#include "zoo/ridge.hpp"

namespace {

void real_targets() {
  const std::vector<double> z = {-2.0, -1.0, 1.0, 2.0};
  const std::vector<double> y = {1.0, 7.0, 0.0, 5.0, 3.0, 11.0, 4.0, 13.0};
  zoo::Context context;
  const zoo::MatrixView<double> rows{z.data(), 4, 1, 1};
  const zoo::RidgeTargets targets{{y.data(), 4, 2, 2}, nullptr};
  const auto path = zoo::ridge_path(context, rows, targets, {4.0, 0.5}, {true, true});
  // sum_i z_i y_i = -2 - 0 + 3 + 8 = 9 and mean 2; alpha = 4 * 4 and 0.5 * 4.
  CHECK(std::abs(path[0].weights[0] - 9.0 / 26.0) < 1e-15);
  CHECK(std::abs(path[1].weights[0] - 9.0 / 12.0) < 1e-15);
  CHECK(path[0].intercepts[0] == 2.0 && path[0].intercepts[1] == 9.0);
  CHECK(std::abs(path[1].weights[1] - 18.0 / 12.0) < 1e-15);
  // Row 0 left out at alpha = 2: residual 1 - 2 + 2 * 9/12 over 1 - 1/4 - 4/12.
  CHECK(std::abs(path[1].left_out[0] - (1.0 - 0.5 / (0.75 - 1.0 / 3.0))) < 1e-14);
  double squares = 0.0;
  for (std::size_t i = 0; i < 4; ++i)
    squares += std::pow(y[2 * i] - path[1].left_out[2 * i], 2) / 4;
  CHECK(std::abs(path[1].errors[0] - squares) < 1e-14);
  CHECK(std::abs(path[1].loss - (path[1].errors[0] + path[1].errors[1]) / 2.0) < 1e-14);

  // Only the best keeps its left-out scores.
  const auto lean = zoo::ridge_path(context, rows, targets, {4.0, 0.5});
  CHECK(lean[0].left_out.empty() != lean[1].left_out.empty());
  CHECK(lean[0].left_out.empty() == (lean[1].loss < lean[0].loss));

  // Without an intercept the leverage is z^2 / (10 + alpha) alone.
  const auto bare = zoo::ridge_path(context, rows, targets, {0.5}, {false, true});
  CHECK(bare[0].intercepts[0] == 0.0);
  CHECK(std::abs(bare[0].left_out[0] - (1.0 - 2.5 / (1.0 - 4.0 / 12.0))) < 1e-14);

  // A row without weight is none: neither in the fit nor in the error.
  const std::vector<double> apart = {-1.0, 1.0, 5.0, 7.0};  // centred over the rows with weight
  const std::vector<double> weights = {1.0, 1.0, 0.0, 0.0};
  const auto light = zoo::ridge_path(context, {apart.data(), 4, 1, 1},
                                     {targets.values, weights.data()}, {1e9, 1e-9}, {true, true});
  CHECK(std::abs(light[0].intercepts[0] - 0.5) < 1e-15);
  CHECK(std::abs(light[0].errors[0] - 1.0) < 1e-6);  // each is judged by the other
  // A penalty so weak that both rows are met: still each by the other, whose slope is then 0.
  CHECK(std::abs(light[1].left_out[0]) < 1e-12 && std::abs(light[1].left_out[2] - 1.0) < 1e-12);
  CHECK(std::abs(light[1].left_out[4] - (0.5 - 0.5 * 5.0)) <
        1e-7);  // one of no weight: not left out

  const std::vector<double> single = {0.0, 1.0, 0.0, 0.0};
  CHECK_THROWS(zoo::ridge_path(context, rows, {targets.values, single.data()}, {1.0}),
               zoo::ErrorKind::kInvalid);
  CHECK_THROWS(zoo::ridge_path(context, rows, targets, {0.0}), zoo::ErrorKind::kInvalid);
  const std::vector<double> bad = {1.0, std::numeric_limits<double>::quiet_NaN(), 1.0, 1.0};
  const std::string told = CHECK_THROWS(
      zoo::ridge_path(context, rows, {{bad.data(), 4, 1, 1}, nullptr}, std::vector<double>{1.0}),
      zoo::ErrorKind::kInvalid);
  CHECK(told.find("row 1 ") != std::string::npos);
}

}  // namespace

int main() {
  real_targets();
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
