// From rows and labels to what the solver sees, and back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "heads/logistic_passes.hpp"
#include "zoo/logistic.hpp"
#include "zoo/matrix_view.hpp"

namespace zoo::detail {

template <typename T>
struct PresentSample : LogisticSample<T> {
  std::vector<std::size_t> classes;  // the classes that have weight; both where binary
};

// The rows with weight among `chosen` (nullptr: all). Nothing where fewer than two classes remain.
template <typename T>
std::optional<PresentSample<T>> present_sample(MatrixView<T> x, const Labels& labels,
                                               const std::int64_t* chosen, std::size_t count);

// Coefficients for all classes from coordinates of those present.
template <typename T>
LogisticCoefficients all_classes(const Context& context, const PresentSample<T>& sample,
                                 std::size_t classes, const std::vector<double>& u);

}  // namespace zoo::detail
