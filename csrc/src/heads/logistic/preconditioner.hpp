// Cheap stand-ins for the Hessian of logistic regression, for conjugate gradients to start from.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "heads/logistic/problem.hpp"
#include "math/cholesky.hpp"
#include "math/kept.hpp"
#include "math/small_eigen.hpp"

namespace zoo::detail {

// The rows' second moments, from a sample, with their factors at any ridge, found once each. Folds
// at many strengths share one.
template <typename T>
class SharedMoments {
 public:
  // The rows weigh in by `importance` (n); at most `wanted` are drawn, evenly along its sum.
  SharedMoments(const Context& context, const LogisticRows& rows,
                const std::vector<double>& importance, std::size_t wanted);

  // (S + ridge I)^-1 up to a factor of sqrt(2) in the ridge; S has the total weight 1.
  const Cholesky<T>& factor(const Context& context, double ridge);

 private:
  std::size_t d_;
  std::vector<double> moments_;  // of the columns, a column of ones, and padding
  std::mutex mutex_;
  std::map<int, std::unique_ptr<Cholesky<T>>> factors_;  // by the ridge's rounded log2
};

enum class Preconditioning {
  kDiagonal,  // covariance of the classes, times the columns' second moments
  kMoments,   // covariance of the classes, times the rows' second moments
  kByClass,   // the Hessian's diagonal blocks, one a class; the Hessian itself for two classes
};

template <typename T>
class Preconditioner {
 public:
  struct Source {
    const LogisticRows& rows;
    const LogisticTask& task;
    const std::vector<Kept<T>>& probabilities;  // (n, vectors), as a pass leaves them
    double strength;
  };

  // Operations that `build` takes, in the unit of pass_cost.
  static double cost(Preconditioning kind, const LogisticTask& task, std::size_t d);
  // Whether `build` stays within a sane amount of memory.
  static bool fits(Preconditioning kind, const LogisticTask& task, std::size_t d);

  // `shared` serves kMoments instead of moments of this task's own rows where given.
  void build(const Context& context, Preconditioning kind, const Source& source,
             std::shared_ptr<SharedMoments<T>> shared);
  // The same for another strength; blocks by class keep the one they were built for.
  void restrengthen(const Context& context, const LogisticRows& rows, double strength);
  // out = P^-1 g for (vectors, d + 1) g, up to a shift common to all classes.
  void apply(const std::vector<double>& g, std::vector<double>& out) const;

  [[nodiscard]] Preconditioning kind() const noexcept { return kind_; }

 private:
  void class_covariance(const Source& source);
  void diagonal(const Source& source);
  void by_class(const Context& context, const Source& source);
  void rescale(double strength);
  void rotate(const std::vector<double>& basis, const double* from, double* to) const;

  Preconditioning kind_ = Preconditioning::kDiagonal;
  std::size_t vectors_ = 0, width_ = 0;
  SmallEigen classes_;              // of the classes' covariance; no vectors: its diagonal
  std::vector<double> transposed_;  // the eigenvectors by rows
  std::vector<double> columns_;     // (d + 1) second moments of kDiagonal
  std::vector<double> scale_;       // (vectors, d + 1) of kDiagonal
  std::shared_ptr<SharedMoments<T>> moments_;
  std::vector<const Cholesky<T>*>
      factor_;                       // of kMoments, a class eigenvector; nullptr: ridge alone
  std::vector<double> divisor_;      // of kMoments
  std::vector<Cholesky<T>> blocks_;  // of kByClass
};

}  // namespace zoo::detail
