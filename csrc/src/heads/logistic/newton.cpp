#include "heads/logistic/newton.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/parallel.hpp"

namespace zoo::detail {
namespace {

constexpr int kMaxProducts = 500;             // Hessian products in one Newton step
constexpr int kMaxTrials = 30;                // step lengths tried
constexpr std::size_t kWorthAThread = 20000;  // coordinates below which walkers take turns
// A better preconditioner is built once a direction has cost this part of its price: the next ones
// cost as much, and more as the optimum nears.
constexpr double kWorth = 0.4;

// The share of a curvature that the kept probabilities may add, and a decrement lack.
template <typename T>
constexpr double kCurvatureError = sizeof(T) == sizeof(float) ? kKeptError : 0.0;

// Eight lanes in a fixed pattern, which the compiler turns into vectors.
double lane_dot(const double* a, const double* b, std::size_t size) {
  std::array<double, 8> part{};
  std::size_t i = 0;
  for (; i + 8 <= size; i += 8) {
    for (std::size_t l = 0; l < 8; ++l) part[l] += a[i + l] * b[i + l];
  }
  double sum = 0.0;
  for (; i < size; ++i) sum += a[i] * b[i];
  for (const double value : part) sum += value;
  return sum;
}

}  // namespace

template <typename T>
LogisticNewton<T>::LogisticNewton(const LogisticRows& rows, const LogisticTask& task,
                                  std::shared_ptr<SharedMoments<T>> shared)
    : rows_(rows), task_(task), shared_(std::move(shared)) {
  request_.task = &task_;
  request_.probabilities = &probabilities_;
}

template <typename T>
void LogisticNewton<T>::begin(std::vector<double> u, const NewtonOptions& options) {
  u_ = std::move(u);
  center(u_);
  options_ = options;
  end_ = {};
  done_ = false;
  precise_ = false;
  product_ = 0;
  if (prepared_) preconditioner_.restrengthen(Context{}, rows_, options_.strength);
  phase_ = Phase::kFirst;
  ask_loss(u_, options_.certify && options_.near);
}

template <typename T>
void LogisticNewton<T>::ask_loss(const std::vector<double>& at, bool precise) {
  request_.kind = PassRequest<T>::Kind::kLoss;
  request_.precise = precise;
  request_.at = &at;
}

template <typename T>
void LogisticNewton<T>::advance(const Context& context) {
  switch (phase_) {
    case Phase::kFirst:
      arrive(context);
      break;
    case Phase::kTrial:
      judge_step(context);
      break;
    case Phase::kDirection:
      follow_direction();
      break;
  }
}

// A shift common to all classes changes no probability and only costs penalty.
template <typename T>
void LogisticNewton<T>::center(std::vector<double>& v) const {
  const std::size_t m = task_.vectors, width = rows_.d + 1;
  if (m == 1) return;
  for (std::size_t j = 0; j < width; ++j) {
    double mean = 0.0;
    for (std::size_t c = 0; c < m; ++c) mean += v[c * width + j];
    mean /= static_cast<double>(m);
    for (std::size_t c = 0; c < m; ++c) v[c * width + j] -= mean;
  }
}

template <typename T>
double LogisticNewton<T>::dot(const std::vector<double>& a, const std::vector<double>& b) const {
  return lane_dot(a.data(), b.data(), a.size());
}

// The intercepts left out, not taken off again: what they leave of rounding would be negative.
template <typename T>
double LogisticNewton<T>::penalty(const std::vector<double>& a,
                                  const std::vector<double>& b) const {
  const std::size_t width = rows_.d + 1;
  double sum = 0.0;
  for (std::size_t c = 0; c < task_.vectors; ++c) {
    sum += lane_dot(a.data() + c * width, b.data() + c * width, rows_.d);
  }
  return sum;
}

// The pass has told loss, gradient and probabilities at u_.
template <typename T>
void LogisticNewton<T>::arrive(const Context& context) {
  const std::size_t width = rows_.d + 1;
  precise_ = request_.precise || sizeof(T) == sizeof(double);
  loss_ = request_.loss;
  loss_gradient_.swap(request_.result);
  objective_ = loss_ + 0.5 * options_.strength * penalty(u_, u_);
  end_.objective = objective_;
  gradient_ = loss_gradient_;
  for (std::size_t c = 0; c < task_.vectors; ++c) {
    for (std::size_t j = 0; j + 1 < width; ++j) {
      gradient_[c * width + j] += options_.strength * u_[c * width + j];
    }
  }
  if (!std::isfinite(objective_)) {
    end_.suboptimality = end_.bound = std::numeric_limits<double>::infinity();
    finish(false);
    return;
  }
  if (precise_ && options_.certify) {
    const double scale = std::max(std::abs(objective_), std::numeric_limits<double>::min());
    end_.bound = rigorous_bound() / scale;
    if (end_.bound <= options_.tolerance) {
      // The bound is above the decrement, so there is nothing left to find out.
      end_.suboptimality = end_.bound;
      finish(true);
      return;
    }
  }
  if (end_.iterations >= options_.max_iterations) {
    finish(false);
    return;
  }
  choose_preconditioner(context);
  start_direction(context);
}

// An upper bound of f - min f by duality (Fenchel): with the probabilities as dual variables the
// gap is |gradient|^2 / (2 strength), once the intercepts' residuals rho are zero. They are made so
// by mixing a share epsilon of a constant distribution into every row's; entropy is concave, so
// the dual value falls by no more than what is added below. |sum_i w_i y_i x_i| <= sqrt(variance).
template <typename T>
double LogisticNewton<T>::rigorous_bound() const {
  const std::size_t m = task_.vectors, width = rows_.d + 1;
  double epsilon = 0.0, mixed = 0.0;
  if (task_.intercept) {
    for (std::size_t c = 0; c < m; ++c) {
      const double rho = loss_gradient_[c * width + rows_.d];
      mixed += rho * u_[c * width + rows_.d];
      if (m == 1) {
        epsilon = std::max(rho / task_.shares[1], -rho / task_.shares[0]);
      } else {
        epsilon = std::max(epsilon, rho / task_.shares[c]);
      }
    }
  }
  if (!(epsilon < 1.0)) return std::numeric_limits<double>::infinity();
  const double square = penalty(loss_gradient_, loss_gradient_), norm = std::sqrt(square);
  const double moved = epsilon * (norm + std::sqrt(rows_.variance));
  const double entropy = loss_ - penalty(loss_gradient_, u_) - mixed;
  return (penalty(gradient_, gradient_) + moved * (2.0 * norm + moved)) /
             (2.0 * options_.strength) +
         std::max(0.0, mixed + epsilon * entropy);
}

template <typename T>
void LogisticNewton<T>::choose_preconditioner(const Context& context) {
  const double pass = pass_cost(task_.count, rows_.d, task_.vectors);
  const auto affordable = [&](Preconditioning kind) {
    return Preconditioner<T>::fits(kind, task_, rows_.d) &&
           kWorth * Preconditioner<T>::cost(kind, task_, rows_.d) <= spent_;
  };
  Preconditioning wanted = Preconditioning::kDiagonal;
  if (!prepared_) {
    // The first direction's work is foreseen: about the root of the condition that a diagonal
    // leaves, which is at most curvature over strength.
    const double condition = 1.0 + 0.25 * rows_.variance / options_.strength;
    spent_ = pass * std::min(30.0, 1.5 * std::sqrt(condition));
    if (shared_ || affordable(Preconditioning::kMoments)) wanted = Preconditioning::kMoments;
  } else if (affordable(Preconditioning::kByClass)) {
    wanted = Preconditioning::kByClass;
  } else if (shared_ || affordable(Preconditioning::kMoments)) {
    wanted = Preconditioning::kMoments;
  }
  if (prepared_ && wanted <= preconditioner_.kind()) {
    // One of the same kind is made anew where that costs nothing, or where it hardly serves.
    wanted = preconditioner_.kind();
    const bool cheap = wanted == Preconditioning::kDiagonal ||
                       (wanted == Preconditioning::kMoments && shared_ != nullptr);
    const bool serves = product_ < 6 && age_ > 1;
    if (cheap ? serves : !affordable(wanted)) {
      spent_ = 0.0;
      ++age_;
      return;
    }
  }
  preconditioner_.build(context, wanted, {rows_, task_, probabilities_, options_.strength},
                        shared_);
  prepared_ = true;
  ++age_;
  spent_ = 0.0;
}

template <typename T>
void LogisticNewton<T>::start_direction(const Context&) {
  residual_.resize(gradient_.size());
  for (std::size_t i = 0; i < gradient_.size(); ++i) residual_[i] = -gradient_[i];
  center(residual_);
  step_.assign(gradient_.size(), 0.0);
  preconditioner_.apply(residual_, preconditioned_);
  center(preconditioned_);
  search_ = preconditioned_;
  rho_ = first_rho_ = dot(residual_, preconditioned_);
  decrement_ = 0.0;
  product_ = 0;
  settled_ = false;
  longest_ = 1.0;
  recent_.fill(std::numeric_limits<double>::infinity());
  phase_ = Phase::kDirection;
  request_.kind = PassRequest<T>::Kind::kCurve;
  request_.precise = false;
  request_.rough = !(options_.certify && precise_);  // what certifies is measured well
  request_.at = &search_;
  if (!(rho_ > 0.0)) {
    settled_ = rho_ == 0.0;
    end_direction(0.0);
  }
}

// One step of conjugate gradients on H step = -gradient. Each iterate's -gradient . step is a lower
// bound of the squared decrement that grows by alpha * rho; what is still missing is estimated by
// the last few increments (Hestenes and Stiefel's error estimate with a delay).
template <typename T>
void LogisticNewton<T>::follow_direction() {
  const std::size_t width = rows_.d + 1;
  std::vector<double>& product = request_.result;
  ++end_.products;
  ++product_;
  spent_ += pass_cost(task_.count, rows_.d, task_.vectors);
  for (std::size_t c = 0; c < task_.vectors; ++c) {
    for (std::size_t j = 0; j + 1 < width; ++j) {
      product[c * width + j] += options_.strength * search_[c * width + j];
    }
  }
  const double curvature = dot(search_, product);
  if (!(curvature > 0.0)) {
    end_direction(std::numeric_limits<double>::infinity());
    return;
  }
  const double alpha = rho_ / curvature;
  for (std::size_t i = 0; i < step_.size(); ++i) {
    step_[i] += alpha * search_[i];
    residual_[i] -= alpha * product[i];
  }
  decrement_ += alpha * rho_;
  recent_[static_cast<std::size_t>(product_ - 1) % recent_.size()] = alpha * rho_;
  center(residual_);
  preconditioner_.apply(residual_, preconditioned_);
  center(preconditioned_);
  const double next = dot(residual_, preconditioned_);
  // A step length above 1 shows less curvature than the preconditioner has: more is left there than
  // its norm tells. Doubled, held-out losses came out right to a few 1e-4.
  longest_ = std::max(longest_, alpha);
  const double remainder = 2.0 * longest_ * next;
  const double scale = std::abs(objective_);
  const double aim = 2.0 * options_.tolerance * scale;
  double last = 0.0;
  for (const double value : recent_) last += value;
  const bool near = decrement_ <= aim;
  const bool measuring = near && options_.certify && precise_;
  // Far from the optimum a rough direction will do; near it, a sharper one saves a whole step.
  const double forcing = std::clamp(first_rho_ / scale, 0.01, 0.09);
  bool enough = next <= forcing * first_rho_;
  if (measuring) {
    // Settled: nothing is coming any more, or even fifteen times what is left is within the aim.
    const double generous = decrement_ + 15.0 * remainder;
    if (generous <= aim * (1.0 - kCurvatureError<T>)) {
      decrement_ = generous;
      enough = true;
    } else {
      enough = next <= 1e-2 * first_rho_ && last <= 0.05 * decrement_;
    }
  } else if (!options_.certify) {
    // As far as the tolerance wants and no further, unless the full step misses it anyway.
    const bool curved = after_step(0.0) > 0.5 * options_.tolerance;
    enough = after_step(remainder) <= options_.tolerance || (enough && curved);
  }
  if (enough || !(next > 1e-18 * scale) || product_ >= kMaxProducts) {
    settled_ = product_ < kMaxProducts && next >= 0.0;
    end_direction(remainder);
    return;
  }
  const double beta = next / rho_;
  for (std::size_t i = 0; i < search_.size(); ++i) {
    search_[i] = preconditioned_[i] + beta * search_[i];
  }
  rho_ = next;
}

// The relative suboptimality after a full step: what the direction leaves of the squared decrement
// (`remainder`), and the next order of the decrement.
template <typename T>
double LogisticNewton<T>::after_step(double remainder) const {
  const double scale = std::max(std::abs(objective_), std::numeric_limits<double>::min());
  const double before = 0.5 * decrement_ / scale;
  return 0.5 * remainder / scale + before * before;
}

template <typename T>
void LogisticNewton<T>::end_direction(double remainder) {
  ++end_.iterations;
  const double scale = std::max(std::abs(objective_), std::numeric_limits<double>::min());
  end_.suboptimality = 0.5 * decrement_ / (1.0 - kCurvatureError<T>) / scale;
  if (!std::isfinite(end_.suboptimality)) {
    finish(false);
    return;
  }
  const bool within = settled_ && end_.suboptimality <= options_.tolerance;
  if (options_.certify && precise_ && within) {
    // The direction is there already: what is returned is closer than what was measured.
    for (std::size_t i = 0; i < u_.size(); ++i) u_[i] += step_[i];
    finish(true);
    return;
  }
  if (decrement_ == 0.0 && precise_) {
    finish(settled_);
    return;
  }
  if (!options_.certify) {
    const double left = after_step(remainder);
    if (within || (settled_ && left <= options_.tolerance)) {
      for (std::size_t i = 0; i < u_.size(); ++i) u_[i] += step_[i];
      end_.objective = objective_ - 0.5 * decrement_;
      if (!within) end_.suboptimality = left;
      finish(true);
      return;
    }
  }
  length_ = 1.0;
  trials_ = 0;
  try_step();
}

template <typename T>
void LogisticNewton<T>::try_step() {
  trial_.resize(u_.size());
  for (std::size_t i = 0; i < u_.size(); ++i) trial_[i] = u_[i] + length_ * step_[i];
  ++trials_;
  phase_ = Phase::kTrial;
  // Near the end the next point is measured in f64 at once, for the certificate.
  const bool soon = end_.suboptimality <= std::max(options_.tolerance, 1e-3);
  ask_loss(trial_, options_.certify && (precise_ || soon));
}

// Armijo's rule, with what rounding may add.
template <typename T>
void LogisticNewton<T>::judge_step(const Context& context) {
  const double value = request_.loss + 0.5 * options_.strength * penalty(trial_, trial_);
  const double eps = static_cast<double>(std::numeric_limits<T>::epsilon());
  const double noise = (precise_ && request_.precise ? 1e-14 : 8.0 * eps) * std::abs(objective_);
  if (value <= objective_ - 1e-4 * length_ * decrement_ + noise) {
    u_.swap(trial_);
    arrive(context);
    return;
  }
  if (trials_ >= kMaxTrials) {
    finish(false);
    return;
  }
  const double above = value - objective_ + length_ * decrement_;  // of the curve over its tangent
  length_ *= std::isfinite(above) ? std::clamp(0.5 * length_ * decrement_ / above, 0.1, 0.5) : 0.1;
  try_step();
}

template <typename T>
void LogisticNewton<T>::finish(bool converged) {
  end_.converged = converged;
  done_ = true;
}

template <typename T>
void walk(const Context& context, const LogisticRows& rows,
          const std::vector<LogisticNewton<T>*>& walkers) {
  std::vector<LogisticNewton<T>*> awake = walkers;
  std::vector<PassRequest<T>*> requests;
  for (;;) {
    std::erase_if(awake, [](LogisticNewton<T>* walker) { return walker->request() == nullptr; });
    if (awake.empty()) return;
    context.check();
    requests.clear();
    for (LogisticNewton<T>* walker : awake) requests.push_back(walker->request());
    run_pass(context, rows, requests);
    if (awake.size() == 1) {
      awake.front()->advance(context);
      continue;
    }
    Context used = context;
    if (awake.size() * requests.front()->at->size() < kWorthAThread) used.threads = 1;
    parallel_for(used, awake.size(), [&](std::size_t i) { awake[i]->advance(Context{}); });
  }
}

template class LogisticNewton<float>;
template class LogisticNewton<double>;
template void walk(const Context&, const LogisticRows&, const std::vector<LogisticNewton<float>*>&);
template void walk(const Context&, const LogisticRows&,
                   const std::vector<LogisticNewton<double>*>&);

}  // namespace zoo::detail
