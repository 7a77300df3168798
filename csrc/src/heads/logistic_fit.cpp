#include <algorithm>
#include <cmath>
#include <string>

#include "heads/labels.hpp"
#include "heads/logistic_newton.hpp"
#include "heads/logistic_sample.hpp"
#include "math/partition.hpp"
#include "zoo/error.hpp"

namespace zoo {
namespace detail {

template <typename T>
std::optional<PresentSample<T>> present_sample(MatrixView<T> x, const Labels& labels,
                                               const std::int64_t* chosen, std::size_t count) {
  std::vector<double> mass(labels.classes);
  double total = 0.0;
  const auto row_at = [&](std::size_t i) {
    return chosen == nullptr ? i : static_cast<std::size_t>(chosen[i]);
  };
  const auto weight_at = [&](std::size_t row) {
    return labels.weights == nullptr ? 1.0 : labels.weights[row];
  };
  for (std::size_t i = 0; i < count; ++i) {
    const double weight = weight_at(row_at(i));
    mass[static_cast<std::size_t>(labels.codes[row_at(i)])] += weight;
    total += weight;
  }
  PresentSample<T> sample;
  std::vector<std::uint32_t> number(labels.classes);
  for (std::size_t c = 0; c < labels.classes; ++c) {
    if (!(mass[c] > 0.0)) continue;
    number[c] = static_cast<std::uint32_t>(sample.classes.size());
    sample.classes.push_back(c);
  }
  if (sample.classes.size() < 2) return std::nullopt;
  if (!std::isfinite(total)) throw Error(ErrorKind::kInvalid, "the sample weights overflow");
  sample.d = x.cols;
  sample.vectors = labels.classes == 2 ? 1 : sample.classes.size();
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t row = row_at(i);
    if (!(weight_at(row) > 0.0)) continue;
    sample.rows.push_back(x.row(row));
    sample.codes.push_back(number[static_cast<std::size_t>(labels.codes[row])]);
    sample.weights.push_back(weight_at(row) / total);
  }
  return sample;
}

template <typename T>
LogisticCoefficients all_classes(const Context& context, const PresentSample<T>& sample,
                                 std::size_t classes, const std::vector<double>& u) {
  const std::size_t d = sample.d, m = sample.vectors;
  LogisticCoefficients out;
  out.vectors = m == 1 ? 1 : classes;
  out.weights.resize(out.vectors * d);
  out.intercepts.resize(out.vectors);
  for (std::size_t c = 0; c < m; ++c) {
    const std::size_t to = m == 1 ? 0 : sample.classes[c];
    std::copy_n(u.data() + c * (d + 1), d, out.weights.data() + to * d);
    out.intercepts[to] = u[c * (d + 1) + d];
  }
  if (m == 1 || m == classes) return out;
  std::vector<T> logits;
  LogisticPasses<T>(context, sample).logits(u, logits);
  const std::size_t n = sample.rows.size();
  double level = 0.0;  // mean log-sum-exp of the classes present
  for (std::size_t i = 0; i < n; ++i) {
    const T* z = logits.data() + i * m;
    const double top = static_cast<double>(*std::max_element(z, z + m));
    double sum = 0.0;
    for (std::size_t c = 0; c < m; ++c) sum += std::exp(static_cast<double>(z[c]) - top);
    level += sample.weights[i] * (top + std::log(sum));
  }
  std::vector<bool> present(classes);
  for (const std::size_t c : sample.classes) present[c] = true;
  for (std::size_t c = 0; c < classes; ++c) {
    if (!present[c]) out.intercepts[c] = level + std::log(0.5 / static_cast<double>(n));
  }
  return out;
}

template std::optional<PresentSample<float>> present_sample(MatrixView<float>, const Labels&,
                                                            const std::int64_t*, std::size_t);
template std::optional<PresentSample<double>> present_sample(MatrixView<double>, const Labels&,
                                                             const std::int64_t*, std::size_t);
template LogisticCoefficients all_classes(const Context&, const PresentSample<float>&, std::size_t,
                                          const std::vector<double>&);
template LogisticCoefficients all_classes(const Context&, const PresentSample<double>&, std::size_t,
                                          const std::vector<double>&);

}  // namespace detail

template <typename T>
LogisticFit logistic_fit(const Context& context, MatrixView<T> x, const Labels& labels,
                         const LogisticOptions& options, const LogisticCoefficients* start) {
  if (!(options.strength > 0.0) || !std::isfinite(options.strength)) {
    throw Error(ErrorKind::kInvalid, "strength must be positive and finite");
  }
  if (!(options.tolerance > 0.0)) throw Error(ErrorKind::kInvalid, "tolerance must be positive");
  if (x.cols == 0) throw Error(ErrorKind::kInvalid, "rows without columns can't be fitted");
  detail::require_labels(labels, x.rows);
  detail::require_finite(context, x);
  const auto sample = detail::present_sample(x, labels, nullptr, x.rows);
  if (!sample) {
    throw Error(ErrorKind::kInvalid, "fewer than two classes have labelled rows with weight");
  }
  detail::LogisticNewton<T> newton(context, *sample);
  if (start != nullptr) {
    const std::size_t vectors = labels.classes == 2 ? 1 : labels.classes;
    if (start->vectors != vectors || start->weights.size() != vectors * x.cols ||
        start->intercepts.size() != vectors) {
      throw Error(ErrorKind::kInvalid, "the warm start has another shape than this problem");
    }
    std::vector<double> u;
    for (std::size_t c = 0; c < sample->vectors; ++c) {
      const std::size_t from = vectors == 1 ? 0 : sample->classes[c];
      const double* w = start->weights.data() + from * x.cols;
      u.insert(u.end(), w, w + x.cols);
      u.push_back(start->intercepts[from]);
    }
    newton.start(std::move(u));
  }
  const detail::NewtonEnd end =
      newton.solve({options.strength, options.tolerance, options.max_iterations, true});
  LogisticFit fit;
  static_cast<LogisticCoefficients&>(fit) =
      detail::all_classes(context, *sample, labels.classes, newton.coordinates());
  fit.objective = end.objective;
  fit.suboptimality = end.suboptimality;
  fit.converged = end.converged;
  fit.iterations = end.iterations;
  fit.products = end.products;
  return fit;
}

template LogisticFit logistic_fit(const Context&, MatrixView<float>, const Labels&,
                                  const LogisticOptions&, const LogisticCoefficients*);
template LogisticFit logistic_fit(const Context&, MatrixView<double>, const Labels&,
                                  const LogisticOptions&, const LogisticCoefficients*);

}  // namespace zoo
