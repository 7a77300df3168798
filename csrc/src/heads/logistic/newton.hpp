// Truncated Newton for one fit, as a machine that asks for passes: many walk side by side.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "heads/logistic/passes.hpp"
#include "heads/logistic/preconditioner.hpp"

namespace zoo::detail {

struct NewtonOptions {
  double strength = 0.0;  // in the solver's coordinates
  double tolerance = 1e-6;
  int max_iterations = 300;
  bool certify = true;  // measure the end point in f64; else trust the last step's own estimate
  bool near = false;    // the start is likely to be the optimum already: measure it in f64 too
};

struct NewtonEnd {
  double objective = 0.0;
  double suboptimality = 0.0;
  double bound = 0.0;
  bool converged = false;
  int iterations = 0;
  int products = 0;
};

template <typename T>
class LogisticNewton {
 public:
  LogisticNewton(const LogisticRows& rows, const LogisticTask& task,
                 std::shared_ptr<SharedMoments<T>> shared = nullptr);

  // A walk from `u`, (vectors, d + 1).
  void begin(std::vector<double> u, const NewtonOptions& options);
  // What the walk needs next; nullptr at its end.
  [[nodiscard]] PassRequest<T>* request() noexcept { return done_ ? nullptr : &request_; }
  // Takes the answer to the request and goes on to the next.
  void advance(const Context& context);

  [[nodiscard]] const std::vector<double>& coordinates() const noexcept { return u_; }
  [[nodiscard]] const NewtonEnd& end() const noexcept { return end_; }

 private:
  enum class Phase { kFirst, kTrial, kDirection };

  void ask_loss(const std::vector<double>& at, bool precise);
  void arrive(const Context& context);
  void choose_preconditioner(const Context& context);
  void start_direction(const Context& context);
  void follow_direction();
  [[nodiscard]] double after_step(double remainder) const;
  void end_direction(double remainder);
  void try_step();
  void judge_step(const Context& context);
  void finish(bool converged);
  void center(std::vector<double>& v) const;
  [[nodiscard]] double dot(const std::vector<double>& a, const std::vector<double>& b) const;
  [[nodiscard]] double penalty(const std::vector<double>& a, const std::vector<double>& b) const;
  [[nodiscard]] double rigorous_bound() const;

  const LogisticRows& rows_;
  const LogisticTask& task_;
  std::shared_ptr<SharedMoments<T>> shared_;
  NewtonOptions options_;
  NewtonEnd end_;
  bool done_ = true;
  Phase phase_ = Phase::kFirst;
  PassRequest<T> request_;

  // The point, and what is known there.
  std::vector<double> u_, loss_gradient_, gradient_;
  std::vector<Kept<T>> probabilities_;
  double loss_ = 0.0, objective_ = 0.0;
  bool precise_ = false;  // loss and gradient were computed in f64

  // The direction and the conjugate gradients that find it.
  Preconditioner<T> preconditioner_;
  bool prepared_ = false;
  int age_ = 0;         // directions since the first preconditioner
  double spent_ = 0.0;  // operations in products since the preconditioner was built
  std::vector<double> step_, residual_, preconditioned_, search_;
  double rho_ = 0.0, first_rho_ = 0.0, decrement_ = 0.0;
  int product_ = 0;
  double longest_ = 1.0;  // of the direction's step lengths so far
  std::array<double, 4> recent_{};
  bool settled_ = false;

  // The step.
  std::vector<double> trial_;
  double length_ = 1.0;
  int trials_ = 0;
};

// Walks all of them to their ends, a pass at a time.
template <typename T>
void walk(const Context& context, const LogisticRows& rows,
          const std::vector<LogisticNewton<T>*>& walkers);

}  // namespace zoo::detail
