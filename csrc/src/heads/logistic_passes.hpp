// The passes over the rows that a logistic solver is made of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "zoo/context.hpp"

namespace zoo::detail {

// The rows with weight and their classes, renumbered so that every class has weight.
template <typename T>
struct LogisticSample {
  std::vector<const T*> rows;  // n
  std::size_t d = 0;
  std::size_t vectors = 0;           // 1: binary
  std::vector<std::uint32_t> codes;  // n; in [0, vectors), or 0 and 1 where binary
  std::vector<double> weights;       // n, sum 1
};

// Coordinates are (vectors, d + 1) in f64, the intercept last in each row.
template <typename T>
class LogisticPasses {
 public:
  LogisticPasses(const Context& context, const LogisticSample<T>& sample);

  [[nodiscard]] std::size_t size() const noexcept { return sample_.vectors * (sample_.d + 1); }
  [[nodiscard]] std::size_t logits_size() const noexcept {
    return sample_.vectors * sample_.rows.size();
  }

  void logits(const std::vector<double>& u, std::vector<T>& out) const;
  // Mean loss at logits + step * direction.
  [[nodiscard]] double loss(const std::vector<T>& logits, const std::vector<T>& direction,
                            double step) const;

  struct Curvature {
    std::vector<T> values;           // (n, vectors): probabilities; p (1 - p) where binary
    std::vector<double> covariance;  // (vectors, vectors): mean of diag(p) - p p^T
    std::vector<double> moments;     // (d + 1): mean of x^2, each row weighted by its curvature
  };
  // Mean loss; fills its gradient and what `hessian` needs.
  double evaluate(const std::vector<T>& logits, std::vector<double>& gradient,
                  Curvature& curvature) const;
  // out = Hessian of the mean loss times u; also the logits of u.
  void hessian(const Curvature& curvature, const std::vector<double>& u, std::vector<double>& out,
               std::vector<T>& logits) const;

 private:
  const Context& context_;
  const LogisticSample<T>& sample_;
};

}  // namespace zoo::detail
