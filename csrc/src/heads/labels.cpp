#include "heads/labels.hpp"

#include <cmath>
#include <string>

#include "zoo/error.hpp"

namespace zoo::detail {

void require_weights(const double* weights, std::size_t rows) {
  for (std::size_t i = 0; weights != nullptr && i < rows; ++i) {
    if (!(weights[i] >= 0.0 && std::isfinite(weights[i]))) {
      throw Error(ErrorKind::kInvalid, "row " + std::to_string(i) +
                                           " has a sample weight that is negative or not finite");
    }
  }
}

void require_labels(const Labels& labels, std::size_t rows) {
  for (std::size_t i = 0; i < rows; ++i) {
    if (labels.codes[i] < 0 || static_cast<std::size_t>(labels.codes[i]) >= labels.classes) {
      throw Error(ErrorKind::kInvalid, "row " + std::to_string(i) + " has label code " +
                                           std::to_string(labels.codes[i]) + ", not in [0, " +
                                           std::to_string(labels.classes) + ")");
    }
  }
  require_weights(labels.weights, rows);
}

}  // namespace zoo::detail
