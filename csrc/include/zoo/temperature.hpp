// How sharp scores should be: the inverse temperature that makes softmax(beta * scores) honest.
#pragma once

#include "zoo/context.hpp"
#include "zoo/logistic.hpp"
#include "zoo/matrix_view.hpp"

namespace zoo {

struct Temperature {
  double inverse = 1.0;  // beta
  double loss = 0.0;     // mean log loss of softmax(beta * scores), unsmoothed
};

// Minimises the weighted mean log loss over beta > 0 for (n, k) scores: convex in beta, solved by
// safeguarded Newton in f64 to 1e-10 relative. Targets are smoothed by 1 / (n + 1) (Platt 1999),
// so that scores without an error get a finite beta. Rows of weight 0 don't count.
Temperature fit_temperature(const Context& context, MatrixView<double> scores,
                            const Labels& labels);

}  // namespace zoo
