#include <algorithm>
#include <atomic>
#include <cmath>
#include <exception>
#include <string>
#include <thread>

#include "heads/labels.hpp"
#include "heads/logistic_newton.hpp"
#include "heads/logistic_sample.hpp"
#include "math/kernels.hpp"
#include "math/partition.hpp"
#include "runtime/parallel.hpp"
#include "zoo/error.hpp"

namespace zoo {
namespace {

// Sum of the held rows' log losses.
template <typename T>
double held_loss(MatrixView<T> x, const Labels& labels, const FoldView& fold,
                 const LogisticCoefficients& fit) {
  const std::size_t m = fit.vectors;
  std::vector<T> w(fit.weights.begin(), fit.weights.end());
  std::vector<const T*> rows(fold.held_count);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i] = x.row(static_cast<std::size_t>(fold.held[i]));
  }
  std::vector<T> scores(checked_product(rows.size(), m));
  detail::kernels().of<T>().dots(rows.data(), rows.size(), x.cols, w.data(), x.cols, m,
                                 scores.data(), m);
  double total = 0.0;
  std::vector<double> z(std::max<std::size_t>(2, m));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::size_t c = 0; c < m; ++c) {
      z[m == 1 ? 1 : c] = static_cast<double>(scores[i * m + c]) + fit.intercepts[c];
    }
    const double top = *std::max_element(z.begin(), z.end());
    double sum = 0.0;
    for (const double value : z) sum += std::exp(value - top);
    total += top + std::log(sum) - z[static_cast<std::size_t>(labels.codes[fold.held[i]])];
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

}  // namespace

template <typename T>
LogisticSearch logistic_search(const Context& context, MatrixView<T> x, const Labels& labels,
                               const std::vector<FoldView>& folds,
                               const std::vector<double>& strengths, double tolerance) {
  for (const double strength : strengths) {
    if (!(strength > 0.0) || !std::isfinite(strength)) {
      throw Error(ErrorKind::kInvalid, "strengths must be positive and finite");
    }
  }
  for (const FoldView& fold : folds) require_fold(fold, x.rows);
  detail::require_labels(labels, x.rows);
  detail::require_finite(context, x);
  LogisticSearch out;
  out.losses.resize(folds.size() * strengths.size());
  std::vector<int> products(folds.size());

  // The caller's poll may run on the calling thread alone; the others stop when it has thrown.
  const std::thread::id caller = std::this_thread::get_id();
  std::atomic<bool> stop{false};
  std::exception_ptr reason;
  Context inner;
  inner.threads =
      std::max(1, context.threads / static_cast<int>(std::max<std::size_t>(1, folds.size())));
  inner.poll = [&] {
    if (std::this_thread::get_id() == caller && !stop) {
      try {
        context.check();
      } catch (...) {
        reason = std::current_exception();
        stop = true;
      }
    }
    if (stop) throw Error(ErrorKind::kInterrupted, "stopped");
  };
  Context outer = inner;
  outer.threads = context.threads;
  try {
    parallel_for(outer, folds.size(), [&](std::size_t f) {
      const auto sample = detail::present_sample(x, labels, folds[f].fit, folds[f].fit_count);
      if (!sample) {
        const double loss = held_loss(x, labels, folds[f], constant_fit(labels, folds[f], x.cols));
        std::fill_n(out.losses.begin() + static_cast<std::ptrdiff_t>(f * strengths.size()),
                    strengths.size(), loss);
        return;
      }
      detail::LogisticNewton<T> newton(inner, *sample);
      for (std::size_t s = 0; s < strengths.size(); ++s) {
        products[f] += newton.solve({strengths[s], tolerance, 100, false}).products;
        out.losses[f * strengths.size() + s] =
            held_loss(x, labels, folds[f],
                      detail::all_classes(inner, *sample, labels.classes, newton.coordinates()));
      }
    });
  } catch (...) {
    if (reason) std::rethrow_exception(reason);
    throw;
  }
  for (const int count : products) out.products += count;
  return out;
}

template LogisticSearch logistic_search(const Context&, MatrixView<float>, const Labels&,
                                        const std::vector<FoldView>&, const std::vector<double>&,
                                        double);
template LogisticSearch logistic_search(const Context&, MatrixView<double>, const Labels&,
                                        const std::vector<FoldView>&, const std::vector<double>&,
                                        double);

}  // namespace zoo
