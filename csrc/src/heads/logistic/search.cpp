#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <string>

#include "heads/labels.hpp"
#include "heads/logistic/newton.hpp"
#include "heads/logistic/problem.hpp"
#include "heads/logistic/span.hpp"
#include "math/kernels.hpp"
#include "math/partition.hpp"
#include "rows/narrow_rows.hpp"
#include "rows/row_reader.hpp"
#include "runtime/parallel.hpp"
#include "zoo/error.hpp"
#include "zoo/logistic.hpp"

namespace zoo {
namespace {

constexpr std::size_t kMomentFactor = 16;  // rows for the shared moments, times the columns
// Rows below which inner fits are sharper in proportion: held-out losses of few rows, often
// separable ones, move most with what a fit leaves, and few rows are cheap to be exact on.
constexpr double kManyRows = 20'000.0;

void require_fold(const FoldView& fold, std::size_t rows) {
  const auto check = [&](const std::int64_t* list, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      if (list[i] < 0 || static_cast<std::size_t>(list[i]) >= rows) {
        throw Error(ErrorKind::kInvalid,
                    "a fold names row " + std::to_string(list[i]) + " of " + std::to_string(rows));
      }
    }
  };
  check(fold.fit, fold.fit_count);
  check(fold.held, fold.held_count);
}

// One fold's walk along the strengths.
template <typename T>
struct FoldPath {
  std::vector<double> weights;  // n, by row number; 0 outside the fold's fit rows
  std::optional<detail::LogisticTask> task;
  std::unique_ptr<detail::LogisticNewton<T>> newton;
  std::vector<std::vector<double>> points;         // the last few optima, the newest last
  std::vector<LogisticCoefficients> coefficients;  // a strength
};

// Where the path goes next: the parabola in log strength through the last three optima.
std::vector<double> extrapolate(const std::vector<std::vector<double>>& points,
                                const std::vector<double>& strengths, std::size_t next) {
  const std::size_t have = points.size();
  if (have == 0) return {};
  std::vector<double> out(points.back().size(), 0.0);
  const double t = std::log(strengths[next]);
  for (std::size_t a = 0; a < have; ++a) {
    double factor = 1.0;
    const double ta = std::log(strengths[next - have + a]);
    for (std::size_t b = 0; b < have; ++b) {
      if (b == a) continue;
      const double tb = std::log(strengths[next - have + b]);
      factor *= ta == tb ? 0.0 : (t - tb) / (ta - tb);
    }
    for (std::size_t i = 0; i < out.size(); ++i) out[i] += factor * points[a][i];
  }
  return out;
}

// Scores (held, vectors) of a fold's held rows.
template <typename T>
std::vector<double> held_scores(const RowSource& x, const FoldView& fold,
                                const LogisticCoefficients& fit) {
  const std::size_t m = fit.vectors, d = x.cols();
  const std::vector<T> w(fit.weights.begin(), fit.weights.end());
  const std::vector<std::size_t> numbers(fold.held, fold.held + fold.held_count);
  detail::RowReader<T> reader(x, numbers);
  std::vector<T> scores(checked_product(numbers.size(), m));
  for (std::size_t i = 0; i < numbers.size(); i += detail::kLogisticTile) {
    const std::size_t count = std::min(detail::kLogisticTile, numbers.size() - i);
    detail::kernels().of<T>().dots(reader.rows(i, count), count, d, w.data(), d, m,
                                   scores.data() + i * m, m);
  }
  std::vector<double> out(scores.begin(), scores.end());
  for (std::size_t i = 0; i < out.size(); ++i) out[i] += fit.intercepts[i % m];
  return out;
}

double held_loss(const Labels& labels, const FoldView& fold, const std::vector<double>& scores,
                 std::size_t vectors) {
  double total = 0.0;
  std::vector<double> z(std::max<std::size_t>(2, vectors));
  for (std::size_t i = 0; i < fold.held_count; ++i) {
    const double* from = scores.data() + i * vectors;
    std::copy_n(from, vectors, z.begin() + (vectors == 1 ? 1 : 0));
    const double top = *std::max_element(z.begin(), z.end());
    double sum = 0.0;
    for (const double value : z) sum += std::exp(value - top);
    const std::int64_t row = fold.held[i];
    const double weight = labels.weights == nullptr ? 1.0 : labels.weights[row];
    total += weight * (top + std::log(sum) - z[static_cast<std::size_t>(labels.codes[row])]);
  }
  return total;
}

// A fold whose fit rows are all of one class, or none: nothing but a constant can be fitted.
LogisticCoefficients constant_fit(const Labels& labels, const FoldView& fold, std::size_t d) {
  LogisticCoefficients out;
  out.vectors = labels.classes == 2 ? 1 : labels.classes;
  out.weights.assign(out.vectors * d, 0.0);
  out.intercepts.assign(out.vectors, 0.0);
  if (fold.fit_count == 0) return out;
  const double odds = std::log(2.0 * static_cast<double>(fold.fit_count));
  const auto only = static_cast<std::size_t>(labels.codes[fold.fit[0]]);
  if (out.vectors == 1) {
    out.intercepts[0] = only == 1 ? odds : -odds;
  } else {
    out.intercepts[only] = odds;
  }
  return out;
}

std::size_t choose(const LogisticSearch& found, std::size_t strengths, StrengthRule rule) {
  const std::size_t folds = found.held.size();
  std::vector<double> mean(strengths);
  double judged = 0.0;
  for (const double held : found.held) judged += held;
  for (std::size_t s = 0; s < strengths; ++s) {
    for (std::size_t f = 0; f < folds; ++f) mean[s] += found.losses[f * strengths + s] / judged;
    if (std::isnan(mean[s])) mean[s] = std::numeric_limits<double>::infinity();
  }
  const auto best =
      static_cast<std::size_t>(std::min_element(mean.begin(), mean.end()) - mean.begin());
  if (rule == StrengthRule::kBest) return best;
  double square = 0.0, count = 0.0;
  for (std::size_t f = 0; f < folds; ++f) {
    if (!(found.held[f] > 0.0)) continue;
    const double gap = found.losses[f * strengths + best] / found.held[f] - mean[best];
    square += gap * gap;
    count += 1.0;
  }
  const double error = count > 1.0 ? std::sqrt(square / (count - 1.0) / count) : 0.0;
  std::size_t chosen = 0;
  while (mean[chosen] > mean[best] + error) ++chosen;
  return chosen;
}

// The rows that some fold fits. Those that one fold holds lie together, so that a pass can skip
// them for it; but rows that are cheap to read in their own order alone keep that.
std::vector<std::size_t> pass_order(const RowSource& x, const std::vector<FoldView>& folds) {
  const std::size_t n = x.rows();
  std::vector<std::size_t> fold_of(n, folds.size()), order;
  std::vector<bool> used(n);
  for (std::size_t f = folds.size(); f-- > 0;) {
    for (std::size_t i = 0; i < folds[f].held_count; ++i) {
      fold_of[static_cast<std::size_t>(folds[f].held[i])] = f;
    }
    for (std::size_t i = 0; i < folds[f].fit_count; ++i) {
      used[static_cast<std::size_t>(folds[f].fit[i])] = true;
    }
  }
  for (std::size_t i = 0; i < n; ++i) {
    if (used[i]) order.push_back(i);
  }
  if (x.sequential()) return order;
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return fold_of[a] < fold_of[b]; });
  return order;
}

// The same rows where they are coordinates in their span: centred and scaled already.
detail::LogisticRows rows_in_span(const RowSource& x, const detail::LogisticRows& rows) {
  detail::LogisticRows out = rows;
  out.source = &x;
  out.d = x.cols();
  out.mean.assign(out.d, 0.0);
  out.inverse_scale.assign(out.d, 1.0);
  return out;
}

void require_options(const SearchOptions& options) {
  if (options.strengths.empty()) throw Error(ErrorKind::kInvalid, "a search needs strengths");
  for (const double strength : options.strengths) {
    if (!(strength > 0.0) || !std::isfinite(strength)) {
      throw Error(ErrorKind::kInvalid, "strengths must be positive and finite");
    }
  }
}

template <typename T>
LogisticSearch search_in(const Context& context, const RowSource& given, const Labels& labels,
                         const std::vector<FoldView>& folds, const SearchOptions& options) {
  require_options(options);
  const std::size_t n = given.rows();
  for (const FoldView& fold : folds) require_fold(fold, n);
  detail::require_labels(labels, n);
  const std::vector<std::size_t> order = pass_order(given, folds);
  const RowSource* x = &given;
  std::vector<T> coordinates;
  std::optional<MemoryRows> in_span;
  const std::size_t strengths = options.strengths.size();
  LogisticSearch out;
  out.losses.resize(folds.size() * strengths);
  for (const FoldView& fold : folds) {
    double held = 0.0;
    for (std::size_t i = 0; i < fold.held_count; ++i) {
      held += labels.weights == nullptr ? 1.0 : labels.weights[fold.held[i]];
    }
    out.held.push_back(held);
  }
  std::vector<FoldPath<T>> paths(folds.size());
  std::optional<detail::LogisticRows> rows;
  std::shared_ptr<detail::SharedMoments<T>> moments;
  for (std::size_t f = 0; f < folds.size(); ++f) {
    FoldPath<T>& path = paths[f];
    path.weights.assign(n, 0.0);
    for (std::size_t i = 0; i < folds[f].fit_count; ++i) {
      const auto row = static_cast<std::size_t>(folds[f].fit[i]);
      path.weights[row] = labels.weights == nullptr ? 1.0 : labels.weights[row];
    }
    path.task = detail::logistic_task(order, labels.codes, labels.classes, path.weights.data(),
                                      options.form.intercept);
    if (!path.task) continue;
    if (!rows) {
      rows = detail::logistic_rows(context, given, order, labels.weights, options.form);
      if (n < given.cols()) {
        coordinates = detail::span_coordinates<T>(context, *rows);
        x = &in_span.emplace(MatrixView<T>{coordinates.data(), n, n, n});
        rows = rows_in_span(*x, *rows);
      }
      const std::size_t wanted = kMomentFactor * (x->cols() + 1);
      std::vector<double> importance;
      for (const std::size_t row : order) {
        importance.push_back(labels.weights == nullptr ? 1.0 : labels.weights[row]);
      }
      moments = std::make_shared<detail::SharedMoments<T>>(context, *rows, importance, wanted);
    }
    path.newton = std::make_unique<detail::LogisticNewton<T>>(*rows, *path.task, moments);
  }
  if (!rows) detail::require_finite(context, given);
  const double tolerance = options.tolerance * std::min(1.0, static_cast<double>(n) / kManyRows);
  for (std::size_t s = 0; s < strengths; ++s) {
    std::vector<detail::LogisticNewton<T>*> walkers;
    for (FoldPath<T>& path : paths) {
      if (!path.newton) continue;
      std::vector<double> u = extrapolate(path.points, options.strengths, s);
      u.resize(path.task->size(x->cols()));
      path.newton->begin(
          std::move(u), {options.strengths[s] * rows->penalty_scale, tolerance, 100, false, false});
      walkers.push_back(path.newton.get());
    }
    if (!walkers.empty()) detail::walk<T>(context, *rows, walkers);
    parallel_for(context, folds.size(), [&](std::size_t f) {
      FoldPath<T>& path = paths[f];
      LogisticCoefficients fit;
      if (path.newton) {
        path.points.push_back(path.newton->coordinates());
        if (path.points.size() > 3) path.points.erase(path.points.begin());
        fit = detail::all_classes(*rows, *path.task, labels.classes, path.points.back());
      } else {
        fit = constant_fit(labels, folds[f], x->cols());
      }
      out.losses[f * strengths + s] =
          held_loss(labels, folds[f], held_scores<T>(*x, folds[f], fit), fit.vectors);
      path.coefficients.push_back(std::move(fit));
    });
    for (FoldPath<T>& path : paths) out.products += path.newton ? path.newton->end().products : 0;
  }
  out.chosen = choose(out, strengths, options.rule);
  const std::size_t vectors = labels.classes == 2 ? 1 : labels.classes;
  out.scores.assign(checked_product(n, vectors), std::numeric_limits<double>::quiet_NaN());
  for (std::size_t f = 0; f < folds.size(); ++f) {
    const auto scores = held_scores<T>(*x, folds[f], paths[f].coefficients[out.chosen]);
    for (std::size_t i = 0; i < folds[f].held_count; ++i) {
      std::copy_n(scores.data() + i * vectors, vectors,
                  out.scores.data() + static_cast<std::size_t>(folds[f].held[i]) * vectors);
    }
  }
  return out;
}

}  // namespace

LogisticSearch logistic_search(const Context& context, const RowSource& x, const Labels& labels,
                               const std::vector<FoldView>& folds, const SearchOptions& options) {
  if (detail::pairs_serve(labels.classes)) {
    if (const auto narrow = detail::narrowed(context, x)) {
      LogisticSearch found = search_in<float>(context, *narrow, labels, folds, options);
      found.narrowed = true;
      return found;
    }
  }
  return x.type() == RowType::kF64 ? search_in<double>(context, x, labels, folds, options)
                                   : search_in<float>(context, x, labels, folds, options);
}

}  // namespace zoo
