// What every head checks at its edge.
#pragma once

#include "zoo/logistic.hpp"

namespace zoo::detail {

// Throws Error(kInvalid) on a weight that is negative or not finite; nullptr is all 1.
void require_weights(const double* weights, std::size_t rows);

// Throws Error(kInvalid) on a code outside [0, classes) or a weight that is negative or not finite.
void require_labels(const Labels& labels, std::size_t rows);

}  // namespace zoo::detail
