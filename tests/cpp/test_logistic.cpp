// The logistic solver: stationary where it says so, and stopped when asked.
#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "check.hpp"
#include "random_rows.hpp"
#include "zoo/error.hpp"
#include "zoo/logistic.hpp"

namespace {

struct Problem {
  std::size_t n, d, k;
  std::vector<double> x = zoo_test::random_rows<double>(n * d);
  std::vector<std::int64_t> codes = [this] {
    std::vector<std::int64_t> out(n);
    for (std::size_t i = 0; i < n; ++i) out[i] = static_cast<std::int64_t>((i * 7 + i / 3) % k);
    return out;
  }();
  [[nodiscard]] zoo::MemoryRows rows() const {
    return zoo::MemoryRows(zoo::MatrixView<double>{x.data(), n, d, d});
  }
  [[nodiscard]] zoo::Labels labels() const { return {codes.data(), k, nullptr}; }
};

// The gradient of f at the fit, by its definition.
double gradient_norm(const Problem& p, const zoo::LogisticFit& fit, double strength) {
  std::vector<double> g(fit.weights);
  for (double& value : g) value *= strength;
  for (std::size_t i = 0; i < p.n; ++i) {
    std::vector<double> z(p.k, 0.0);
    for (std::size_t v = 0; v < fit.vectors; ++v) {
      double& to = z[fit.vectors == 1 ? 1 : v];
      to = fit.intercepts[v];
      for (std::size_t j = 0; j < p.d; ++j) to += fit.weights[v * p.d + j] * p.x[i * p.d + j];
    }
    double sum = 0.0;
    for (const double value : z) sum += std::exp(value);
    for (std::size_t v = 0; v < fit.vectors; ++v) {
      const std::size_t c = fit.vectors == 1 ? 1 : v;
      const double y = static_cast<std::size_t>(p.codes[i]) == c ? 1.0 : 0.0;
      const double slope = (std::exp(z[c]) / sum - y) / static_cast<double>(p.n);
      for (std::size_t j = 0; j < p.d; ++j) g[v * p.d + j] += slope * p.x[i * p.d + j];
    }
  }
  double norm = 0.0;
  for (const double value : g) norm += value * value;
  return std::sqrt(norm);
}

void converged_fits_are_stationary() {
  for (const std::size_t k : {2, 3, 140}) {  // 140: more classes than the eigenvectors serve
    const Problem p{300, 11, k};
    for (const double strength : {1e-1, 1e-4}) {
      zoo::Context context;
      context.threads = 2;
      const auto fit = zoo::logistic_fit(context, p.rows(), p.labels(), {strength, 1e-14});
      CHECK(fit.converged);
      CHECK(gradient_norm(p, fit, strength) < 1e-7);
    }
  }
}

void bad_arguments_are_refused() {
  const Problem p{20, 3, 2};
  const zoo::Context context;
  std::vector<std::int64_t> codes(20, 0);
  CHECK_THROWS(zoo::logistic_fit(context, p.rows(), {codes.data(), 2}, {}),
               zoo::ErrorKind::kInvalid);
  codes[3] = 2;
  CHECK_THROWS(zoo::logistic_fit(context, p.rows(), {codes.data(), 2}, {}),
               zoo::ErrorKind::kInvalid);
  CHECK_THROWS(zoo::logistic_fit(context, p.rows(), p.labels(), {-1.0}), zoo::ErrorKind::kInvalid);
  const std::int64_t outside = 20;
  CHECK_THROWS(
      zoo::logistic_search(context, p.rows(), p.labels(), {{&outside, 1, &outside, 1}}, {{1.0}}),
      zoo::ErrorKind::kInvalid);
}

void searches_share_nothing_between_threads() {
  const Problem p{200, 9, 3};
  std::vector<std::int64_t> all(p.n);
  for (std::size_t i = 0; i < p.n; ++i) all[i] = static_cast<std::int64_t>(i);
  std::vector<zoo::FoldView> folds;
  for (std::size_t f = 0; f < 5; ++f) folds.push_back({all.data() + f, 150, all.data() + 160, 40});
  const auto run = [&](int threads) {
    zoo::Context context;
    context.threads = threads;
    return zoo::logistic_search(context, p.rows(), p.labels(), folds, {{1.0, 0.1, 0.01}});
  };
  const auto one = run(1);
  CHECK(run(3).losses == one.losses);
  CHECK(run(16).losses == one.losses);
}

// Enough rows, columns and classes for every preconditioner and for passes on several threads.
void fits_are_the_same_bits_on_any_number_of_threads() {
  for (const std::size_t k : {2, 40}) {
    const Problem p{3000, 65, k};
    std::vector<float> x(p.x.begin(), p.x.end());
    const auto run = [&](int threads) {
      zoo::Context context;
      context.threads = threads;
      return zoo::logistic_fit(context,
                               zoo::MemoryRows(zoo::MatrixView<float>{x.data(), p.n, p.d, p.d}),
                               p.labels(), {1e-6});
    };
    const auto one = run(1);
    CHECK(one.converged);
    for (const int threads : {2, 5}) {
      const auto more = run(threads);
      CHECK(more.weights == one.weights);
      CHECK(more.suboptimality == one.suboptimality);
    }
  }
}

// The bound is above the true distance, at any point: here where a fit was stopped early.
void the_bound_holds_where_a_fit_is_stopped() {
  for (const std::size_t k : {2, 5}) {
    const Problem p{400, 12, k};
    const zoo::Context context;
    const double best = zoo::logistic_fit(context, p.rows(), p.labels(), {1e-2, 1e-13}).objective;
    for (int steps = 1; steps < 4; ++steps) {
      const auto fit = zoo::logistic_fit(context, p.rows(), p.labels(), {1e-2, 1e-15, steps});
      CHECK(!fit.converged);
      const double gap = (fit.objective - best) / fit.objective;
      CHECK(gap >= -1e-13);
      CHECK(gap <= fit.suboptimality_bound + 1e-13);
    }
  }
}

void labels_share_passes_and_nothing_else() {
  const Problem p{200, 9, 2};
  std::vector<std::int8_t> marks(p.n * 3);
  for (std::size_t i = 0; i < p.n; ++i) {
    for (std::size_t label = 0; label < 3; ++label) {
      marks[i * 3 + label] = static_cast<std::int8_t>((i / (label + 1)) % 2);
    }
  }
  marks[5] = -1;  // row 1 says nothing of label 2
  const zoo::Context context;
  const zoo::LogisticOptions options{1e-3, 1e-12};
  const auto fits =
      zoo::multilabel_fit(context, p.rows(), {marks.data(), p.n, 3, 3}, nullptr, options);
  for (std::size_t label = 0; label < 3; ++label) {
    std::vector<std::int64_t> codes(p.n);
    std::vector<double> weights(p.n, 1.0);
    for (std::size_t i = 0; i < p.n; ++i) codes[i] = marks[i * 3 + label] == 1 ? 1 : 0;
    if (label == 2) weights[1] = 0.0;
    const auto alone =
        zoo::logistic_fit(context, p.rows(), {codes.data(), 2, weights.data()}, options);
    CHECK(std::abs(alone.objective - fits[label].objective) < 1e-11);
    CHECK(fits[label].converged);
  }
  std::fill(marks.begin(), marks.end(), std::int8_t{1});
  CHECK_THROWS(zoo::multilabel_fit(context, p.rows(), {marks.data(), p.n, 3, 3}, nullptr, options),
               zoo::ErrorKind::kInvalid);
}

void a_poll_that_throws_ends_a_search() {
  const Problem p{400, 20, 4};
  std::vector<std::int64_t> all(p.n);
  for (std::size_t i = 0; i < p.n; ++i) all[i] = static_cast<std::int64_t>(i);
  const zoo::FoldView fold{all.data(), p.n, all.data(), p.n};
  zoo::Context context;
  context.threads = 2;
  int polls = 0;
  context.poll = [&] {
    if (++polls > 20) throw std::runtime_error("stop");
  };
  bool stopped = false;
  try {
    (void)zoo::logistic_search(context, p.rows(), p.labels(), {fold, fold, fold},
                               {std::vector<double>(1000, 1e-6), zoo::StrengthRule::kBest, 1e-300});
  } catch (const std::runtime_error& error) {
    stopped = std::string(error.what()) == "stop";
  }
  CHECK(stopped);
}

// One pass over these rows asks more often than there are blocks, so that none takes long.
void a_pass_asks_within_its_blocks() {
  const Problem p{20'000, 4, 3};
  for (const int threads : {1, 3}) {
    zoo::Context context;
    context.threads = threads;
    int polls = 0;
    context.poll = [&] {
      if (++polls == 150) throw std::runtime_error("stop");
    };
    bool stopped = false;
    try {
      (void)zoo::logistic_fit(context, p.rows(), p.labels(), {1e-3, 1e-6, 1});
    } catch (const std::runtime_error&) {
      stopped = true;
    }
    CHECK(stopped);
    CHECK(polls == 150);
  }
}

}  // namespace

int main() {
  converged_fits_are_stationary();
  bad_arguments_are_refused();
  searches_share_nothing_between_threads();
  fits_are_the_same_bits_on_any_number_of_threads();
  the_bound_holds_where_a_fit_is_stopped();
  labels_share_passes_and_nothing_else();
  a_poll_that_throws_ends_a_search();
  a_pass_asks_within_its_blocks();
  return 0;
}
