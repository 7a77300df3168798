// Truncated Newton for one sample; keeps its state, so that a path of strengths is one walk.
#pragma once

#include <vector>

#include "heads/logistic_passes.hpp"
#include "math/small_eigen.hpp"

namespace zoo::detail {

struct NewtonOptions {
  double strength = 0.0;
  double tolerance = 1e-6;
  int max_iterations = 300;
  bool certify = true;  // run the last conjugate gradients until the decrement has settled
};

struct NewtonEnd {
  double objective = 0.0;
  double suboptimality = 0.0;
  bool converged = false;
  int iterations = 0;
  int products = 0;
};

template <typename T>
class LogisticNewton {
 public:
  LogisticNewton(const Context& context, const LogisticSample<T>& sample);

  // Coordinates to start from, (vectors, d + 1); zeros without it.
  void start(std::vector<double> u);
  NewtonEnd solve(const NewtonOptions& options);
  [[nodiscard]] const std::vector<double>& coordinates() const noexcept { return u_; }

 private:
  void center(std::vector<double>& u) const;
  void factor(double strength);
  void precondition(const std::vector<double>& g, std::vector<double>& out);
  [[nodiscard]] double penalty(const std::vector<double>& a, const std::vector<double>& b) const;
  struct Direction {
    double decrement = 0.0;  // squared Newton decrement, as far as it was followed
    bool settled = false;
  };
  Direction direction(const NewtonOptions& options, double objective, NewtonEnd& end);

  const Context& context_;
  const LogisticSample<T>& sample_;
  LogisticPasses<T> passes_;
  std::vector<double> u_, loss_gradient_, gradient_, step_;
  std::vector<T> logits_, step_logits_;
  typename LogisticPasses<T>::Curvature curvature_;
  double loss_ = 0.0;
  bool stale_ = true;
  SmallEigen classes_;
  std::vector<double> transposed_, scale_, rotated_;
};

}  // namespace zoo::detail
