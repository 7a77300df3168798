#include "zoo/ridge.hpp"

#include <algorithm>
#include <cmath>

#include "heads/labels.hpp"
#include "math/partition.hpp"
#include "runtime/parallel.hpp"
#include "zoo/error.hpp"
#include "zoo/products.hpp"
#include "zoo/temperature.hpp"

namespace zoo {

std::vector<RidgeFit> ridge_path(const Context& context, MatrixView<double> z, const Labels& labels,
                                 const std::vector<double>& strengths, bool keep_all) {
  const std::size_t n = z.rows, r = z.cols, k = labels.classes;
  detail::require_labels(labels, n);
  detail::require_finite(context, z);
  const auto weight = [&](std::size_t i) {
    return labels.weights == nullptr ? 1.0 : labels.weights[i];
  };
  double total = 0.0;
  std::vector<double> prior(k);
  for (std::size_t i = 0; i < n; ++i) {
    prior[static_cast<std::size_t>(labels.codes[i])] += weight(i);
    total += weight(i);
  }
  const auto present = std::count_if(prior.begin(), prior.end(), [](double p) { return p > 0.0; });
  if (present < 2) {
    throw Error(ErrorKind::kInvalid, "fewer than two classes have labelled rows with weight");
  }
  for (double& p : prior) p /= total;

  // The cross products Y^T Z and the diagonal of Z^T Z, both weighted.
  std::vector<double> targets(checked_product(n, k)), moments(r);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t c = 0; c < k; ++c) targets[i * k + c] = -weight(i) * prior[c];
    targets[i * k + static_cast<std::size_t>(labels.codes[i])] += weight(i);
    for (std::size_t j = 0; j < r; ++j) moments[j] += weight(i) * z.row(i)[j] * z.row(i)[j];
  }
  const std::vector<double> cross =
      rows_combined<double>(context, {targets.data(), n, k, k}, {z.data, n, r, z.stride});

  std::vector<RidgeFit> path;
  std::size_t best = 0;
  for (const double strength : strengths) {
    if (!(strength > 0.0) || !std::isfinite(strength)) {
      throw Error(ErrorKind::kInvalid, "strengths must be positive and finite");
    }
    context.check();
    RidgeFit fit;
    fit.strength = strength;
    fit.weights = cross;
    std::vector<double> shrink(r);
    for (std::size_t j = 0; j < r; ++j) shrink[j] = 1.0 / (moments[j] + strength * total);
    for (std::size_t c = 0; c < k; ++c) {
      for (std::size_t j = 0; j < r; ++j) fit.weights[c * r + j] *= shrink[j];
    }
    fit.intercepts = prior;
    fit.left_out = rows_times<double>(context, z, {fit.weights.data(), k, r, r});
    parallel_for(context, (n + 255) / 256, [&](std::size_t task) {
      for (std::size_t i = task * 256; i < std::min(n, (task + 1) * 256); ++i) {
        double leverage = 1.0 / total;
        for (std::size_t j = 0; j < r; ++j) leverage += z.row(i)[j] * z.row(i)[j] * shrink[j];
        const double keep = std::max(1e-12, 1.0 - weight(i) * leverage);
        for (std::size_t c = 0; c < k; ++c) {
          const double y = static_cast<std::size_t>(labels.codes[i]) == c ? 1.0 : 0.0;
          double& score = fit.left_out[i * k + c];
          score = y - (y - score - fit.intercepts[c]) / keep;
        }
      }
    });
    const Temperature sharp = fit_temperature(context, {fit.left_out.data(), n, k, k}, labels);
    fit.inverse_temperature = sharp.inverse;
    fit.loss = sharp.loss;
    path.push_back(std::move(fit));
    const std::size_t last = path.size() - 1;
    if (last == 0 || keep_all) continue;
    const std::size_t loser = path[last].loss < path[best].loss ? best : last;
    path[loser].left_out = {};
    if (loser == best) best = last;
  }
  return path;
}

}  // namespace zoo
