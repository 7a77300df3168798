#include "heads/logistic_newton.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "math/kernels.hpp"

namespace zoo::detail {
namespace {

// Beyond this many classes the eigenvectors cost more than they save: their diagonal serves.
constexpr std::size_t kMaxEigenClasses = 128;
constexpr int kMaxProducts = 1000;  // Hessian products in one Newton step

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  // Eight lanes in a fixed pattern, which the compiler turns into vectors.
  std::array<double, 8> part{};
  std::size_t i = 0;
  for (; i + 8 <= a.size(); i += 8) {
    for (std::size_t l = 0; l < 8; ++l) part[l] += a[i + l] * b[i + l];
  }
  double sum = 0.0;
  for (; i < a.size(); ++i) sum += a[i] * b[i];
  for (const double value : part) sum += value;
  return sum;
}

}  // namespace

template <typename T>
LogisticNewton<T>::LogisticNewton(const Context& context, const LogisticSample<T>& sample)
    : context_(context), sample_(sample), passes_(context, sample), u_(passes_.size()) {
  logits_.assign(passes_.logits_size(), T{0});
}

template <typename T>
void LogisticNewton<T>::start(std::vector<double> u) {
  u_ = std::move(u);
  center(u_);
  passes_.logits(u_, logits_);
  stale_ = true;
}

// A shift common to all classes changes no probability and only costs penalty.
template <typename T>
void LogisticNewton<T>::center(std::vector<double>& u) const {
  const std::size_t m = sample_.vectors, width = sample_.d + 1;
  if (m == 1) return;
  for (std::size_t j = 0; j < width; ++j) {
    double mean = 0.0;
    for (std::size_t c = 0; c < m; ++c) mean += u[c * width + j];
    mean /= static_cast<double>(m);
    for (std::size_t c = 0; c < m; ++c) u[c * width + j] -= mean;
  }
}

template <typename T>
double LogisticNewton<T>::penalty(const std::vector<double>& a,
                                  const std::vector<double>& b) const {
  const std::size_t d = sample_.d;
  double sum = 0.0;
  for (std::size_t c = 0; c < sample_.vectors; ++c) {
    double part = 0.0;
    for (std::size_t j = 0; j < d; ++j) part += a[c * (d + 1) + j] * b[c * (d + 1) + j];
    sum += part;
  }
  return sum;
}

template <typename T>
void LogisticNewton<T>::factor(double strength) {
  const std::size_t m = sample_.vectors, width = sample_.d + 1;
  if (m <= kMaxEigenClasses) {
    classes_ = small_eigen(curvature_.covariance, m);
  } else {
    classes_.values.resize(m);
    classes_.vectors.clear();
    for (std::size_t c = 0; c < m; ++c) classes_.values[c] = curvature_.covariance[c * m + c];
  }
  transposed_ = classes_.vectors;
  if (!transposed_.empty()) {
    for (std::size_t c = 0; c < m; ++c) {
      for (std::size_t e = 0; e < m; ++e) transposed_[c * m + e] = classes_.vectors[e * m + c];
    }
  }
  const double top = *std::max_element(classes_.values.begin(), classes_.values.end());
  scale_.resize(m * width);
  for (std::size_t c = 0; c < m; ++c) {
    // The shift common to all classes has eigenvalue 0 up to rounding; `center` removes it.
    const double value = std::max(classes_.values[c], 1e-12 * top);
    for (std::size_t j = 0; j < width; ++j) {
      const double curvature = value * curvature_.moments[j] + (j + 1 < width ? strength : 0.0);
      scale_[c * width + j] = curvature > 0.0 ? 1.0 / curvature : 0.0;
    }
  }
}

template <typename T>
void LogisticNewton<T>::precondition(const std::vector<double>& g, std::vector<double>& out) {
  const std::size_t m = sample_.vectors, width = sample_.d + 1;
  if (m == 1 || classes_.vectors.empty()) {
    out.resize(g.size());
    for (std::size_t i = 0; i < g.size(); ++i) out[i] = scale_[i] * g[i];
  } else {
    const auto& tile = kernels().f64;
    std::vector<const double*> rows(m);
    rotated_.assign(g.size(), 0.0);
    for (std::size_t c = 0; c < m; ++c) rows[c] = g.data() + c * width;
    tile.outer(rows.data(), m, width, classes_.vectors.data(), m, m, rotated_.data(), width);
    for (std::size_t i = 0; i < g.size(); ++i) rotated_[i] *= scale_[i];
    for (std::size_t c = 0; c < m; ++c) rows[c] = rotated_.data() + c * width;
    out.assign(g.size(), 0.0);
    tile.outer(rows.data(), m, width, transposed_.data(), m, m, out.data(), width);
  }
  center(out);
}

// Conjugate gradients on H step = -gradient. Each iterate's -gradient . step is a lower bound of
// the squared decrement that grows by alpha * rho; what is still missing is estimated by the last
// few increments (Hestenes and Stiefel's error estimate with a delay).
template <typename T>
typename LogisticNewton<T>::Direction LogisticNewton<T>::direction(const NewtonOptions& options,
                                                                   double objective,
                                                                   NewtonEnd& end) {
  constexpr std::size_t kDelay = 4;
  const std::size_t width = sample_.d + 1;
  const double aim = 2.0 * options.tolerance * std::abs(objective);
  const double floor = 1e-16 * std::abs(objective);
  std::vector<double> residual(gradient_.size()), z, p, hp;
  std::vector<T> p_logits;
  for (std::size_t i = 0; i < gradient_.size(); ++i) residual[i] = -gradient_[i];
  center(residual);
  step_.assign(gradient_.size(), 0.0);
  step_logits_.assign(logits_.size(), T{0});
  precondition(residual, z);
  p = z;
  double rho = dot(residual, z);
  const double rho0 = rho;
  std::array<double, kDelay> recent;
  recent.fill(std::numeric_limits<double>::infinity());
  Direction out;
  for (int it = 0; it < kMaxProducts; ++it) {
    if (!(rho > 0.0) || rho < floor * 1e-2) {
      out.settled = rho >= 0.0;
      break;
    }
    context_.check();
    passes_.hessian(curvature_, p, hp, p_logits);
    ++end.products;
    for (std::size_t c = 0; c < sample_.vectors; ++c) {
      for (std::size_t j = 0; j + 1 < width; ++j) {
        hp[c * width + j] += options.strength * p[c * width + j];
      }
    }
    const double curvature = dot(p, hp);
    if (!(curvature > 0.0)) break;
    const double alpha = rho / curvature;
    for (std::size_t i = 0; i < step_.size(); ++i) {
      step_[i] += alpha * p[i];
      residual[i] -= alpha * hp[i];
    }
    for (std::size_t i = 0; i < step_logits_.size(); ++i) {
      step_logits_[i] += static_cast<T>(alpha) * p_logits[i];
    }
    out.decrement += alpha * rho;
    recent[static_cast<std::size_t>(it) % kDelay] = alpha * rho;
    center(residual);
    precondition(residual, z);
    const double next = dot(residual, z);
    const bool near = out.decrement <= aim;
    // Far from the optimum a rough direction will do; near it, a sharper one saves a whole step.
    const double forcing =
        near && options.certify ? 1e-2 : std::clamp(rho0 / std::abs(objective), 0.01, 0.09);
    if (next <= forcing * rho0) {
      double last = 0.0;
      for (const double value : recent) last += value;
      if (!near || !options.certify || last <= 0.05 * out.decrement || last <= floor) {
        out.settled = true;
        break;
      }
    }
    const double beta = next / rho;
    for (std::size_t i = 0; i < p.size(); ++i) p[i] = z[i] + beta * p[i];
    rho = next;
  }
  return out;
}

template <typename T>
NewtonEnd LogisticNewton<T>::solve(const NewtonOptions& options) {
  NewtonEnd end;
  const std::size_t width = sample_.d + 1;
  const double noise = 8.0 * static_cast<double>(std::numeric_limits<T>::epsilon());
  while (end.iterations < options.max_iterations) {
    context_.check();
    if (stale_) {
      loss_ = passes_.evaluate(logits_, loss_gradient_, curvature_);
      stale_ = false;
    }
    const double norm2 = penalty(u_, u_);
    const double objective = loss_ + 0.5 * options.strength * norm2;
    end.objective = objective;
    gradient_ = loss_gradient_;
    for (std::size_t c = 0; c < sample_.vectors; ++c) {
      for (std::size_t j = 0; j + 1 < width; ++j) {
        gradient_[c * width + j] += options.strength * u_[c * width + j];
      }
    }
    factor(options.strength);
    const Direction found = direction(options, objective, end);
    ++end.iterations;
    const double scale = std::max(std::abs(objective), std::numeric_limits<double>::min());
    end.suboptimality = 0.5 * found.decrement / scale;
    if (!std::isfinite(found.decrement)) break;
    if (found.decrement == 0.0) {
      end.converged = found.settled;
      break;
    }
    // Armijo backtracking on logits alone: no pass over the rows.
    const double cross = penalty(u_, step_), square = penalty(step_, step_);
    double t = 1.0, best = objective, loss = loss_;
    bool moved = false;
    for (int trial = 0; trial < 40; ++trial) {
      loss = passes_.loss(logits_, step_logits_, t);
      best = loss + 0.5 * options.strength * (norm2 + t * (2.0 * cross + t * square));
      if (best <= objective - 1e-4 * t * found.decrement + noise * std::abs(objective)) {
        moved = true;
        break;
      }
      const double model =
          best - objective + t * found.decrement;  // > 0: the curve above its tangent
      t *= std::isfinite(model) ? std::clamp(0.5 * t * found.decrement / model, 0.1, 0.5) : 0.1;
    }
    end.converged = found.settled && end.suboptimality <= options.tolerance;
    if (!moved) break;
    for (std::size_t i = 0; i < u_.size(); ++i) u_[i] += t * step_[i];
    for (std::size_t i = 0; i < logits_.size(); ++i) {
      logits_[i] += static_cast<T>(t) * step_logits_[i];
    }
    stale_ = true;
    end.objective = best;
    if (end.converged) break;
  }
  return end;
}

template class LogisticNewton<float>;
template class LogisticNewton<double>;

}  // namespace zoo::detail
