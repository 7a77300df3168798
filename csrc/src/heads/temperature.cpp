#include "zoo/temperature.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "heads/labels.hpp"
#include "math/partition.hpp"
#include "rows/row_reader.hpp"
#include "runtime/parallel.hpp"

namespace zoo {
namespace {

struct Slope {
  double loss = 0.0;
  double first = 0.0;   // derivative of the smoothed loss
  double second = 0.0;  // and its derivative
};

Slope slope_at(const Context& context, MatrixView<double> scores, const Labels& labels,
               double smoothing, double beta) {
  const Partition blocks(scores.rows, 256, 16);
  std::vector<Slope> parts(blocks.count());
  const std::size_t k = scores.cols;
  parallel_for(context, blocks.count(), [&](std::size_t b) {
    Slope part;
    for (std::size_t i = blocks.begin(b); i < blocks.end(b); ++i) {
      const double weight = labels.weights == nullptr ? 1.0 : labels.weights[i];
      if (weight == 0.0) continue;
      const double* s = scores.row(i);
      const double top = *std::max_element(s, s + k);
      double sum = 0.0, mean = 0.0, square = 0.0, plain = 0.0;
      for (std::size_t c = 0; c < k; ++c) {
        const double gap = s[c] - top;
        const double e = std::exp(beta * gap);
        sum += e;
        mean += e * gap;
        square += e * gap * gap;
        plain += gap;
      }
      mean /= sum;
      square /= sum;
      const double own = s[labels.codes[i]] - top;
      const double target = (1.0 - smoothing) * own + smoothing * plain / static_cast<double>(k);
      part.loss += weight * (std::log(sum) - beta * own);
      part.first += weight * (mean - target);
      part.second += weight * (square - mean * mean);
    }
    parts[b] = part;
  });
  Slope out;
  for (const Slope& part : parts) {
    out.loss += part.loss;
    out.first += part.first;
    out.second += part.second;
  }
  return out;
}

}  // namespace

Temperature fit_temperature(const Context& context, MatrixView<double> scores,
                            const Labels& labels) {
  detail::require_labels(labels, scores.rows);
  detail::require_finite(context, MemoryRows(scores));
  double spread = 0.0, total = 0.0, count = 0.0;
  for (std::size_t i = 0; i < scores.rows; ++i) {
    const double weight = labels.weights == nullptr ? 1.0 : labels.weights[i];
    if (weight == 0.0) continue;
    const auto [low, high] = std::minmax_element(scores.row(i), scores.row(i) + scores.cols);
    spread += weight * (*high - *low);
    total += weight;
    count += 1.0;
  }
  Temperature out;
  if (!(total > 0.0)) return out;
  const double smoothing = 1.0 / (count + 1.0);
  if (!(spread > 0.0)) {
    out.loss = std::log(static_cast<double>(scores.cols));
    return out;
  }
  // Bounds far beyond use: logits that span 1e-4 or 1e4 on average.
  double low = 1e-4 * total / spread, high = 1e4 * total / spread, beta = total / spread;
  for (int it = 0; it < 100; ++it) {
    context.check();
    const Slope slope = slope_at(context, scores, labels, smoothing, beta);
    (slope.first > 0.0 ? high : low) = beta;
    double next = beta - slope.first / slope.second;
    if (!(next > low && next < high)) next = std::sqrt(low * high);
    const bool done = std::abs(next - beta) <= 1e-10 * beta || high <= low * (1.0 + 1e-10);
    beta = next;
    if (done) break;
  }
  out.inverse = beta;
  out.loss = slope_at(context, scores, labels, smoothing, beta).loss / total;
  return out;
}

}  // namespace zoo
