#include "zoo/ridge.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "heads/labels.hpp"
#include "math/partition.hpp"
#include "rows/row_reader.hpp"
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
    std::size_t counted = 0;
    for (std::size_t i = 0; i < n; ++i) {
      total_ += weight(i);
      counted += weight(i) > 0.0 ? 1 : 0;
    }
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
    const double largest = r == 0 ? 0.0 : *std::max_element(moments_.begin(), moments_.end());
    const double null = largest * static_cast<double>(r) * std::numeric_limits<double>::epsilon();
    inverse_.resize(r);
    std::size_t directions = 0;
    for (std::size_t j = 0; j < r; ++j) {
      if (moments_[j] <= null) continue;
      inverse_[j] = 1.0 / moments_[j];
      ++directions;
    }
    exact_ = directions + (intercept ? 1 : 0) == counted;
    unpenalised();
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
    const double alpha = strength * total_;
    RidgeFit fit;
    fit.strength = strength;
    fit.intercepts = means_;
    fit.weights = cross_;
    // What the penalty takes from the weights, and hence adds to residual and 1 - leverage.
    std::vector<double> taken(cross_), share(r);
    for (std::size_t j = 0; j < r; ++j) {
      const double part = alpha / (moments_[j] + alpha);
      share[j] = inverse_[j] * part;
      for (std::size_t c = 0; c < q; ++c) {
        fit.weights[c * r + j] *= inverse_[j] == 0.0 ? 0.0 : 1.0 / (moments_[j] + alpha);
        taken[c * r + j] *= share[j];
      }
    }
    fit.left_out = rows_times<double>(context_, z_, {taken.data(), q, r, r});
    const double least = exact_ ? std::numeric_limits<double>::min() : 1e-12;
    parallel_for(context_, (n + kRowsPerTask - 1) / kRowsPerTask, [&](std::size_t task) {
      const std::size_t end = std::min(n, (task + 1) * kRowsPerTask);
      for (std::size_t i = task * kRowsPerTask; i < end; ++i) {
        const double keep = std::max(least, slack_[i] + weight(i) * length(i, share));
        for (std::size_t c = 0; c < q; ++c) {
          double& score = fit.left_out[i * q + c];
          score = target_(i, c) - (residuals_[i * q + c] + score) / keep;
        }
      }
    });
    return fit;
  }

 private:
  // Residuals and 1 - leverage without a penalty. What a penalty adds to them is then added, and
  // not subtracted from 1: that keeps the digits where a weak penalty leaves nearly no residual.
  void unpenalised() {
    const std::size_t n = z_.rows, r = z_.cols, q = outputs_;
    std::vector<double> weights(cross_);
    for (std::size_t c = 0; c < q; ++c) {
      for (std::size_t j = 0; j < r; ++j) weights[c * r + j] *= inverse_[j];
    }
    residuals_ = rows_times<double>(context_, z_, {weights.data(), q, r, r});
    slack_.resize(n);
    for (std::size_t i = 0; i < n; ++i) {
      const bool none = exact_ && weight(i) > 0.0;  // as many directions as rows: all are met
      const double constant = intercept_ ? 1.0 / total_ : 0.0;
      slack_[i] = none ? 0.0 : 1.0 - weight(i) * (constant + length(i, inverse_));
      for (std::size_t c = 0; c < q; ++c) {
        double& residual = residuals_[i * q + c];
        residual = none ? 0.0 : target_(i, c) - means_[c] - residual;
      }
    }
  }

  // Squared length of row i with its coordinates counted by `share`.
  [[nodiscard]] double length(std::size_t i, const std::vector<double>& share) const {
    double sum = 0.0;
    for (std::size_t j = 0; j < z_.cols; ++j) sum += z_.row(i)[j] * z_.row(i)[j] * share[j];
    return sum;
  }

  const Context& context_;
  MatrixView<double> z_;
  std::size_t outputs_;
  const double* weights_;
  const Target& target_;
  bool intercept_;
  double total_ = 0.0;
  std::vector<double> means_;      // (q), 0 without an intercept
  std::vector<double> moments_;    // (r)
  std::vector<double> cross_;      // (q, r)
  std::vector<double> inverse_;    // (r) of moments_, 0 for one that is no more than rounding
  bool exact_ = false;             // whether the rows with weight can be met without a penalty
  std::vector<double> residuals_;  // (n, q)
  std::vector<double> slack_;      // (n) 1 - leverage
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
  detail::require_finite(context, MemoryRows(z));
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
  detail::require_finite(context, MemoryRows(z));
  detail::require_finite(context, MemoryRows(targets.values));
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
