#include "heads/logistic_passes.hpp"

#include <algorithm>
#include <cmath>

#include "math/kernels.hpp"
#include "math/partition.hpp"
#include "runtime/parallel.hpp"

namespace zoo::detail {
namespace {

constexpr std::size_t kTile = 32;    // rows that stay in cache between logits and gradient
constexpr std::size_t kBlocks = 16;  // parts of a reduction; results depend on it, threads don't

// The weights of u as T without the intercepts, (vectors, d).
template <typename T>
std::vector<T> weights_of(const std::vector<double>& u, std::size_t vectors, std::size_t d) {
  std::vector<T> out(vectors * d);
  for (std::size_t c = 0; c < vectors; ++c) {
    for (std::size_t j = 0; j < d; ++j) out[c * d + j] = static_cast<T>(u[c * (d + 1) + j]);
  }
  return out;
}

// Loss of one row; p receives the classes' probabilities and `other` one minus that of `code`,
// each without cancellation.
double softmax_loss(const double* z, std::size_t k, std::size_t code, double* p, double& other) {
  const std::size_t top = static_cast<std::size_t>(std::max_element(z, z + k) - z);
  double rest = 0.0;
  for (std::size_t c = 0; c < k; ++c) {
    p[c] = c == top ? 1.0 : std::exp(z[c] - z[top]);
    if (c != top) rest += p[c];
  }
  other = 0.0;
  for (std::size_t c = 0; c < k; ++c) {
    p[c] /= 1.0 + rest;
    if (c != code) other += p[c];
  }
  return z[top] - z[code] + std::log1p(rest);
}

// Loss at signed margin m = +-z; `other` is the probability of the wrong class.
double binary_loss(double margin, double& other) {
  const double e = std::exp(-std::abs(margin));
  other = (margin >= 0.0 ? e : 1.0) / (1.0 + e);
  return std::max(0.0, -margin) + std::log1p(e);
}

// One block's share of a reduction over rows.
template <typename T>
struct Share {
  std::vector<T> weights;          // (vectors, d)
  std::vector<double> intercepts;  // (vectors)
  std::vector<double> covariance;  // (vectors, vectors)
  std::vector<T> moments;          // (d)
  double mass = 0.0;               // of the moments
  double loss = 0.0;
};

template <typename T>
void sum_shares(const std::vector<Share<T>>& shares, std::size_t vectors, std::size_t d,
                std::vector<double>& out) {
  out.assign(vectors * (d + 1), 0.0);
  for (const Share<T>& share : shares) {
    for (std::size_t c = 0; c < vectors; ++c) {
      double* to = out.data() + c * (d + 1);
      const T* from = share.weights.data() + c * d;
      for (std::size_t j = 0; j < d; ++j) to[j] += static_cast<double>(from[j]);
      to[d] += share.intercepts[c];
    }
  }
}

}  // namespace

template <typename T>
LogisticPasses<T>::LogisticPasses(const Context& context, const LogisticSample<T>& sample)
    : context_(context), sample_(sample) {}

template <typename T>
void LogisticPasses<T>::logits(const std::vector<double>& u, std::vector<T>& out) const {
  const std::size_t m = sample_.vectors, d = sample_.d;
  const std::vector<T> weights = weights_of<T>(u, m, d);
  out.resize(logits_size());
  const auto& tile = kernels().of<T>();
  const Partition blocks(sample_.rows.size(), kTile, kBlocks);
  parallel_for(context_, blocks.count(), [&](std::size_t b) {
    const std::size_t begin = blocks.begin(b), end = blocks.end(b);
    tile.dots(sample_.rows.data() + begin, end - begin, d, weights.data(), d, m,
              out.data() + begin * m, m);
    for (std::size_t i = begin; i < end; ++i) {
      for (std::size_t c = 0; c < m; ++c) out[i * m + c] += static_cast<T>(u[c * (d + 1) + d]);
    }
  });
}

template <typename T>
double LogisticPasses<T>::loss(const std::vector<T>& logits, const std::vector<T>& direction,
                               double step) const {
  const std::size_t m = sample_.vectors;
  const Partition blocks(sample_.rows.size(), kTile, kBlocks);
  std::vector<double> part(blocks.count());
  parallel_for(context_, blocks.count(), [&](std::size_t b) {
    std::vector<double> z(m), p(m);
    double sum = 0.0, other = 0.0;
    for (std::size_t i = blocks.begin(b); i < blocks.end(b); ++i) {
      for (std::size_t c = 0; c < m; ++c) {
        z[c] = static_cast<double>(logits[i * m + c]) +
               step * static_cast<double>(direction[i * m + c]);
      }
      const std::size_t code = sample_.codes[i];
      sum += sample_.weights[i] * (m == 1 ? binary_loss(code == 1 ? z[0] : -z[0], other)
                                          : softmax_loss(z.data(), m, code, p.data(), other));
    }
    part[b] = sum;
  });
  double total = 0.0;
  for (const double value : part) total += value;
  return total;
}

template <typename T>
double LogisticPasses<T>::evaluate(const std::vector<T>& logits, std::vector<double>& gradient,
                                   Curvature& curvature) const {
  const std::size_t m = sample_.vectors, d = sample_.d;
  curvature.values.resize(logits_size());
  const auto& tile = kernels().of<T>();
  const Partition blocks(sample_.rows.size(), kTile, kBlocks);
  std::vector<Share<T>> shares(blocks.count());
  parallel_for(context_, blocks.count(), [&](std::size_t b) {
    Share<T>& share = shares[b];
    share.weights.resize(m * d);
    share.intercepts.resize(m);
    share.covariance.resize(m * m);
    share.moments.resize(d);
    std::vector<double> z(m), p(m);
    std::vector<T> residual(kTile * m);
    for (std::size_t begin = blocks.begin(b); begin < blocks.end(b); begin += kTile) {
      const std::size_t count = std::min(kTile, blocks.end(b) - begin);
      for (std::size_t t = 0; t < count; ++t) {
        const std::size_t i = begin + t, code = sample_.codes[i];
        const double weight = sample_.weights[i];
        double other = 0.0, spread = 0.0;
        for (std::size_t c = 0; c < m; ++c) z[c] = static_cast<double>(logits[i * m + c]);
        if (m == 1) {
          share.loss += weight * binary_loss(code == 1 ? z[0] : -z[0], other);
          spread = other * (1.0 - other);
          const double slope = weight * (code == 1 ? -other : other);
          curvature.values[i] = static_cast<T>(spread);
          residual[t] = static_cast<T>(slope);
          share.intercepts[0] += slope;
          share.covariance[0] += weight * spread;
        } else {
          share.loss += weight * softmax_loss(z.data(), m, code, p.data(), other);
          for (std::size_t c = 0; c < m; ++c) {
            const double slope = weight * (c == code ? -other : p[c]);
            curvature.values[i * m + c] = static_cast<T>(p[c]);
            residual[t * m + c] = static_cast<T>(slope);
            share.intercepts[c] += slope;
            const double rest = c == code ? other : 1.0 - p[c];
            spread += p[c] * rest;
            double* row = share.covariance.data() + c * m;
            row[c] += weight * p[c] * rest;
            for (std::size_t e = 0; e < c; ++e) row[e] -= weight * p[c] * p[e];
          }
        }
        const T mass = static_cast<T>(weight * spread);
        share.mass += weight * spread;
        const T* x = sample_.rows[i];
        for (std::size_t j = 0; j < d; ++j) share.moments[j] += mass * x[j] * x[j];
      }
      tile.outer(sample_.rows.data() + begin, count, d, residual.data(), m, m, share.weights.data(),
                 d);
    }
  });
  sum_shares(shares, m, d, gradient);
  curvature.covariance.assign(m * m, 0.0);
  curvature.moments.assign(d + 1, 0.0);
  double loss = 0.0, mass = 0.0;
  for (const Share<T>& share : shares) {
    loss += share.loss;
    mass += share.mass;
    for (std::size_t i = 0; i < m * m; ++i) curvature.covariance[i] += share.covariance[i];
    for (std::size_t j = 0; j < d; ++j) {
      curvature.moments[j] += static_cast<double>(share.moments[j]);
    }
  }
  for (std::size_t c = 0; c < m; ++c) {
    for (std::size_t e = 0; e < c; ++e) {
      curvature.covariance[e * m + c] = curvature.covariance[c * m + e];
    }
  }
  for (std::size_t j = 0; j < d; ++j) curvature.moments[j] /= std::max(mass, 1e-300);
  curvature.moments[d] = 1.0;
  return loss;
}

template <typename T>
void LogisticPasses<T>::hessian(const Curvature& curvature, const std::vector<double>& u,
                                std::vector<double>& out, std::vector<T>& logits) const {
  const std::size_t m = sample_.vectors, d = sample_.d;
  const std::vector<T> weights = weights_of<T>(u, m, d);
  logits.resize(logits_size());
  const auto& tile = kernels().of<T>();
  const Partition blocks(sample_.rows.size(), kTile, kBlocks);
  std::vector<Share<T>> shares(blocks.count());
  parallel_for(context_, blocks.count(), [&](std::size_t b) {
    Share<T>& share = shares[b];
    share.weights.resize(m * d);
    share.intercepts.resize(m);
    std::vector<T> r(kTile * m);
    for (std::size_t begin = blocks.begin(b); begin < blocks.end(b); begin += kTile) {
      const std::size_t count = std::min(kTile, blocks.end(b) - begin);
      tile.dots(sample_.rows.data() + begin, count, d, weights.data(), d, m,
                logits.data() + begin * m, m);
      for (std::size_t t = 0; t < count; ++t) {
        const std::size_t i = begin + t;
        const T* p = curvature.values.data() + i * m;
        T* v = logits.data() + i * m;
        double mean = 0.0;
        for (std::size_t c = 0; c < m; ++c) {
          v[c] += static_cast<T>(u[c * (d + 1) + d]);
          mean += static_cast<double>(p[c]) * static_cast<double>(v[c]);
        }
        for (std::size_t c = 0; c < m; ++c) {
          const double value = static_cast<double>(v[c]) - (m == 1 ? 0.0 : mean);
          const double push = sample_.weights[i] * static_cast<double>(p[c]) * value;
          r[t * m + c] = static_cast<T>(push);
          share.intercepts[c] += push;
        }
      }
      tile.outer(sample_.rows.data() + begin, count, d, r.data(), m, m, share.weights.data(), d);
    }
  });
  sum_shares(shares, m, d, out);
}

template class LogisticPasses<float>;
template class LogisticPasses<double>;

}  // namespace zoo::detail
