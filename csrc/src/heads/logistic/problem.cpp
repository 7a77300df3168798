#include "heads/logistic/problem.hpp"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include "math/kernels.hpp"
#include "math/partition.hpp"
#include "rows/row_reader.hpp"
#include "runtime/parallel.hpp"
#include "zoo/error.hpp"

namespace zoo::detail {
namespace {

struct Moments {
  std::vector<double> mean, variance;
};

// Weighted mean and variance of the columns, around the first row so that neither cancels.
template <typename A>
Moments column_moments(const Context& context, const LogisticRows& rows,
                       const std::vector<double>& weights, bool centred) {
  const std::size_t n = rows.order.size(), d = rows.d;
  const std::span<const std::size_t> order(rows.order);
  std::vector<double> shift(d);
  if (centred)
    std::copy_n(RowReader<A>(*rows.source, order.first(1)).rows(0, 1)[0], d, shift.begin());
  const Partition blocks(n, kLogisticTile, 16);
  std::vector<std::vector<double>> parts(blocks.count());
  parallel_for(context, blocks.count(), [&](std::size_t b) {
    parts[b].resize(2 * d);
    const std::size_t begin = blocks.begin(b), end = blocks.end(b);
    RowReader<A> reader(*rows.source, order.subspan(begin, end - begin));
    for (std::size_t i = begin; i < end; i += kLogisticTile) {
      const std::size_t count = std::min(kLogisticTile, end - i);
      kernels().moments_of<A>().moments(reader.rows(i - begin, count), count, d, weights.data() + i,
                                        shift.data(), parts[b].data(), parts[b].data() + d);
    }
  });
  Moments out{std::vector<double>(d), std::vector<double>(d)};
  for (const auto& part : parts) {
    for (std::size_t j = 0; j < d; ++j) {
      out.mean[j] += part[j];
      out.variance[j] += part[d + j];
    }
  }
  for (std::size_t j = 0; j < d; ++j) {
    out.variance[j] =
        std::max(0.0, out.variance[j] - out.mean[j] * out.mean[j] * (centred ? 1 : 0));
    out.mean[j] = centred ? out.mean[j] + shift[j] : 0.0;
  }
  return out;
}

// Mean log-sum-exp of the rows' logits at the solver's coordinates u, from a few hundred rows.
double mean_level(const LogisticRows& rows, const LogisticTask& task,
                  const std::vector<double>& u) {
  const std::size_t d = rows.d, m = task.vectors, n = rows.order.size();
  std::vector<std::size_t> places, numbers;
  for (std::size_t i = 0; i < n; i += std::max<std::size_t>(1, n / 512)) {
    if (!(task.weights[i] > 0.0)) continue;
    places.push_back(i);
    numbers.push_back(rows.order[i]);
  }
  RowReader<double> reader(*rows.source, numbers);
  std::vector<double> z(m);
  double level = 0.0, mass = 0.0;
  for (std::size_t r = 0; r < places.size(); ++r) {
    const double weight = task.weights[places[r]];
    mass += weight;
    const double* x = reader.rows(r, 1)[0];
    for (std::size_t c = 0; c < m; ++c) {
      const double* w = u.data() + c * (d + 1);
      z[c] = w[d];
      for (std::size_t j = 0; j < d; ++j) {
        z[c] += w[j] * (x[j] - rows.mean[j]) * rows.inverse_scale[j];
      }
    }
    const double top = *std::max_element(z.begin(), z.end());
    double sum = 0.0;
    for (const double value : z) sum += std::exp(value - top);
    level += weight * (top + std::log(sum));
  }
  return mass > 0.0 ? level / mass : 0.0;
}

}  // namespace

LogisticRows logistic_rows(const Context& context, const RowSource& x,
                           std::vector<std::size_t> order, const double* weights,
                           const LogisticForm& form) {
  if (x.cols() == 0) throw Error(ErrorKind::kInvalid, "rows without columns can't be fitted");
  LogisticRows out;
  out.source = &x;
  out.d = x.cols();
  out.intercept = form.intercept;
  std::vector<double> share(order.size());
  double total = 0.0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    share[i] = weights == nullptr ? 1.0 : weights[order[i]];
    total += share[i];
  }
  if (order.empty() || !(total > 0.0)) {
    throw Error(ErrorKind::kInvalid, "fewer than two classes have labelled rows with weight");
  }
  if (!std::isfinite(total)) throw Error(ErrorKind::kInvalid, "the sample weights overflow");
  for (double& value : share) value /= total;
  require_finite(context, x);
  out.order = std::move(order);
  Moments moments = x.type() == RowType::kF64
                        ? column_moments<double>(context, out, share, form.intercept)
                        : column_moments<float>(context, out, share, form.intercept);
  double variance = 0.0;
  for (const double value : moments.variance) variance += value;
  if (!std::isfinite(variance)) {
    throw Error(ErrorKind::kInvalid, "the rows' squares overflow: scale the columns down");
  }
  out.mean = std::move(moments.mean);
  out.inverse_scale.resize(out.d);
  const double scale = variance > 0.0 ? std::sqrt(variance) : 1.0;
  if (!form.standardize) out.penalty_scale = 1.0 / (scale * scale);
  for (std::size_t j = 0; j < out.d; ++j) {
    // A spread of rounding errors alone is none, and a constant column gets weight 0.
    const double spread = moments.variance[j], noise = 1e-28 * out.mean[j] * out.mean[j];
    if (!(spread > noise)) continue;
    out.inverse_scale[j] = 1.0 / (form.standardize ? std::sqrt(spread) : scale);
    out.variance += form.standardize ? 1.0 : spread / variance;
  }
  return out;
}

std::optional<LogisticTask> logistic_task(const std::vector<std::size_t>& order,
                                          const std::int64_t* codes, std::size_t classes,
                                          const double* weights, bool intercept) {
  LogisticTask task;
  task.intercept = intercept;
  std::vector<double> mass(classes);
  double total = 0.0;
  for (const std::size_t row : order) {
    const double weight = weights == nullptr ? 1.0 : weights[row];
    mass[static_cast<std::size_t>(codes[row])] += weight;
    total += weight;
  }
  if (!std::isfinite(total)) throw Error(ErrorKind::kInvalid, "the sample weights overflow");
  std::vector<std::uint32_t> number(classes);
  for (std::size_t c = 0; c < classes; ++c) {
    if (!(mass[c] > 0.0)) continue;
    number[c] = static_cast<std::uint32_t>(task.classes.size());
    task.classes.push_back(c);
    task.shares.push_back(mass[c] / total);
  }
  if (task.classes.size() < 2) return std::nullopt;
  task.vectors = classes == 2 ? 1 : task.classes.size();
  const std::size_t n = order.size();
  task.codes.resize(n);
  task.weights.resize(n);
  task.has_rows.resize((n + kLogisticTile - 1) / kLogisticTile);
  for (std::size_t i = 0; i < n; ++i) {
    const double weight = weights == nullptr ? 1.0 : weights[order[i]];
    if (!(weight > 0.0)) continue;
    task.codes[i] = number[static_cast<std::size_t>(codes[order[i]])];
    task.weights[i] = weight / total;
    task.has_rows[i / kLogisticTile] = 1;
    ++task.count;
  }
  return task;
}

LogisticCoefficients all_classes(const LogisticRows& rows, const LogisticTask& task,
                                 std::size_t classes, const std::vector<double>& u) {
  const std::size_t d = rows.d, m = task.vectors;
  LogisticCoefficients out;
  out.vectors = m == 1 ? 1 : classes;
  out.weights.resize(out.vectors * d);
  out.intercepts.resize(out.vectors);
  if (m > 1 && m < classes) {
    const double absent =
        mean_level(rows, task, u) + std::log(0.5 / static_cast<double>(task.count));
    std::fill(out.intercepts.begin(), out.intercepts.end(), absent);
  }
  for (std::size_t c = 0; c < m; ++c) {
    const std::size_t to = m == 1 ? 0 : task.classes[c];
    double* w = out.weights.data() + to * d;
    double intercept = u[c * (d + 1) + d];
    for (std::size_t j = 0; j < d; ++j) {
      w[j] = u[c * (d + 1) + j] * rows.inverse_scale[j];
      intercept -= w[j] * rows.mean[j];
    }
    out.intercepts[to] = intercept;
  }
  return out;
}

std::vector<double> coordinates_of(const LogisticRows& rows, const LogisticTask& task,
                                   const LogisticCoefficients& from) {
  const std::size_t d = rows.d;
  std::vector<double> u(task.size(d));
  for (std::size_t c = 0; c < task.vectors; ++c) {
    const std::size_t source = task.vectors == 1 ? 0 : task.classes[c];
    const double* w = from.weights.data() + source * d;
    double intercept = from.intercepts[source];
    for (std::size_t j = 0; j < d; ++j) {
      const double inverse = rows.inverse_scale[j];
      u[c * (d + 1) + j] = inverse > 0.0 ? w[j] / inverse : 0.0;
      intercept += w[j] * rows.mean[j];
    }
    u[c * (d + 1) + d] = task.intercept ? intercept : 0.0;
  }
  return u;
}

}  // namespace zoo::detail
