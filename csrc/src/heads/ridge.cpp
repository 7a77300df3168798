#include "zoo/ridge.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "heads/labels.hpp"
#include "math/partition.hpp"
#include "runtime/parallel.hpp"
#include "zoo/error.hpp"
#include "zoo/products.hpp"
#include "zoo/temperature.hpp"

namespace zoo {
namespace {

constexpr std::size_t kRowsPerTask = 256;

// What all strengths share: target(i, c) is what row i should score on output c.
template <typename Target>
class Path {
 public:
  Path(const Context& context, MatrixView<double> z, std::size_t outputs, const double* weights,
       const Target& target, bool intercept)
      : context_(context),
        z_(z),
        outputs_(outputs),
        weights_(weights),
        target_(target),
        intercept_(intercept),
        means_(outputs),
        moments_(z.cols) {
    const std::size_t n = z.rows, r = z.cols, q = outputs;
    for (std::size_t i = 0; i < n; ++i) total_ += weight(i);
    if (intercept) {
      for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t c = 0; c < q; ++c) means_[c] += weight(i) * target(i, c);
      }
      for (double& mean : means_) mean /= total_;
    }
    // The cross products Y^T Z and the diagonal of Z^T Z, both weighted.
    std::vector<double> centred(checked_product(n, q));
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t c = 0; c < q; ++c) {
        centred[i * q + c] = weight(i) * (target(i, c) - means_[c]);
      }
      for (std::size_t j = 0; j < r; ++j) moments_[j] += weight(i) * z.row(i)[j] * z.row(i)[j];
    }
    cross_ = rows_combined<double>(context, {centred.data(), n, q, q}, z);
    // Directions that rounding alone holds open would be divided by next to nothing.
    for (const double moment : moments_) null_ = std::max(null_, moment);
    null_ *= static_cast<double>(r) * std::numeric_limits<double>::epsilon();
  }

  [[nodiscard]] double weight(std::size_t i) const {
    return weights_ == nullptr ? 1.0 : weights_[i];
  }
  [[nodiscard]] double total() const { return total_; }

  [[nodiscard]] RidgeFit fit(double strength) const {
    const std::size_t n = z_.rows, r = z_.cols, q = outputs_;
    if (!(strength > 0.0) || !std::isfinite(strength)) {
      throw Error(ErrorKind::kInvalid, "strengths must be positive and finite");
    }
    context_.check();
    RidgeFit fit;
    fit.strength = strength;
    fit.weights = cross_;
    std::vector<double> shrink(r);
    for (std::size_t j = 0; j < r; ++j) {
      shrink[j] = moments_[j] > null_ ? 1.0 / (moments_[j] + strength * total_) : 0.0;
    }
    for (std::size_t c = 0; c < q; ++c) {
      for (std::size_t j = 0; j < r; ++j) fit.weights[c * r + j] *= shrink[j];
    }
    fit.intercepts = means_;
    fit.left_out = rows_times<double>(context_, z_, {fit.weights.data(), q, r, r});
    parallel_for(context_, (n + kRowsPerTask - 1) / kRowsPerTask, [&](std::size_t task) {
      const std::size_t end = std::min(n, (task + 1) * kRowsPerTask);
      for (std::size_t i = task * kRowsPerTask; i < end; ++i) {
        double leverage = intercept_ ? 1.0 / total_ : 0.0;
        for (std::size_t j = 0; j < r; ++j) leverage += z_.row(i)[j] * z_.row(i)[j] * shrink[j];
        const double keep = std::max(1e-12, 1.0 - weight(i) * leverage);
        for (std::size_t c = 0; c < q; ++c) {
          const double y = target_(i, c);
          double& score = fit.left_out[i * q + c];
          score = y - (y - score - fit.intercepts[c]) / keep;
        }
      }
    });
    return fit;
  }

 private:
  const Context& context_;
  MatrixView<double> z_;
  std::size_t outputs_;
  const double* weights_;
  const Target& target_;
  bool intercept_;
  double total_ = 0.0;
  std::vector<double> means_;    // (q), 0 without an intercept
  std::vector<double> moments_;  // (r)
  std::vector<double> cross_;    // (q, r)
  double null_ = 0.0;            // a moment that is no more than rounding
};

// Fits every strength, lets `judge` set its loss, and drops the left-out scores of the losers.
template <typename Target, typename Judge>
std::vector<RidgeFit> walk(const Path<Target>& path, const std::vector<double>& strengths,
                           bool keep_all, const Judge& judge) {
  std::vector<RidgeFit> fits;
  std::size_t best = 0;
  for (const double strength : strengths) {
    fits.push_back(path.fit(strength));
    judge(fits.back());
    const std::size_t last = fits.size() - 1;
    if (last == 0 || keep_all) continue;
    const std::size_t loser = fits[last].loss < fits[best].loss ? best : last;
    fits[loser].left_out = {};
    if (loser == best) best = last;
  }
  return fits;
}

}  // namespace

std::vector<RidgeFit> ridge_path(const Context& context, MatrixView<double> z, const Labels& labels,
                                 const std::vector<double>& strengths, bool keep_all) {
  const std::size_t n = z.rows, k = labels.classes;
  detail::require_labels(labels, n);
  detail::require_finite(context, z);
  std::vector<bool> present(k);
  for (std::size_t i = 0; i < n; ++i) {
    if (labels.weights == nullptr || labels.weights[i] > 0.0) {
      present[static_cast<std::size_t>(labels.codes[i])] = true;
    }
  }
  if (std::count(present.begin(), present.end(), true) < 2) {
    throw Error(ErrorKind::kInvalid, "fewer than two classes have labelled rows with weight");
  }
  const auto one_hot = [&](std::size_t i, std::size_t c) {
    return static_cast<std::size_t>(labels.codes[i]) == c ? 1.0 : 0.0;
  };
  const Path path(context, z, k, labels.weights, one_hot, true);
  return walk(path, strengths, keep_all, [&](RidgeFit& fit) {
    const Temperature sharp = fit_temperature(context, {fit.left_out.data(), n, k, k}, labels);
    fit.inverse_temperature = sharp.inverse;
    fit.loss = sharp.loss;
  });
}

std::vector<RidgeFit> ridge_path(const Context& context, MatrixView<double> z,
                                 const RidgeTargets& targets, const std::vector<double>& strengths,
                                 RidgeOptions options) {
  const std::size_t n = z.rows, q = targets.values.cols;
  if (targets.values.rows != n || q == 0) {
    throw Error(ErrorKind::kInvalid, "targets must have one row a row, and a column");
  }
  detail::require_weights(targets.weights, n);
  detail::require_finite(context, z);
  detail::require_finite(context, targets.values);
  std::size_t counted = n;
  if (targets.weights != nullptr) {
    counted = n - static_cast<std::size_t>(std::count(targets.weights, targets.weights + n, 0.0));
  }
  if (counted < 2) {
    throw Error(ErrorKind::kInvalid, "leaving a row out needs at least two rows with weight");
  }
  const auto value = [&](std::size_t i, std::size_t c) { return targets.values.row(i)[c]; };
  const Path path(context, z, q, targets.weights, value, options.intercept);
  return walk(path, strengths, options.keep_all, [&](RidgeFit& fit) {
    fit.errors.assign(q, 0.0);
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t c = 0; c < q; ++c) {
        const double residual = value(i, c) - fit.left_out[i * q + c];
        fit.errors[c] += path.weight(i) * residual * residual;
      }
    }
    for (double& error : fit.errors) {
      error /= path.total();
      fit.loss += error / static_cast<double>(q);
    }
  });
}

}  // namespace zoo
