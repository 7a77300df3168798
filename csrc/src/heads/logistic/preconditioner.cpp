#include "heads/logistic/preconditioner.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "math/kernels.hpp"
#include "math/partition.hpp"
#include "rows/row_reader.hpp"
#include "zoo/products.hpp"

namespace zoo::detail {
namespace {

// Beyond this many classes the eigenvectors cost more than they save: their diagonal serves.
constexpr std::size_t kMaxEigenClasses = 128;
constexpr std::size_t kStatisticRows = 2048;  // rows that means over rows are taken from
constexpr std::size_t kSampleFactor = 3;      // rows drawn for second moments, times the columns
constexpr double kMemory = 1e9;               // bytes

struct Drawn {
  std::size_t place;  // in the order of the passes
  double weight;
};

// Rows by systematic sampling, each as often as its importance asks (Madow 1949): unbiased,
// without chance. All of them, exactly, where no more than `wanted` have any.
std::vector<Drawn> draw(const std::vector<double>& importance, std::size_t wanted) {
  double total = 0.0;
  std::size_t positive = 0;
  for (const double value : importance) {
    total += value;
    positive += value > 0.0 ? 1 : 0;
  }
  std::vector<Drawn> out;
  if (positive <= wanted) {
    for (std::size_t i = 0; i < importance.size(); ++i) {
      if (importance[i] > 0.0) out.push_back({i, importance[i]});
    }
    return out;
  }
  const double unit = total / static_cast<double>(wanted);
  double reached = 0.0, next = 0.5 * unit;
  for (std::size_t i = 0; i < importance.size(); ++i) {
    reached += importance[i];
    double times = 0.0;
    while (next < reached) {
      times += 1.0;
      next += unit;
    }
    if (times > 0.0) out.push_back({i, times * unit});
  }
  return out;
}

// Columns of the augmented rows: rounded up, since aligned rows multiply half again as fast.
std::size_t padded(std::size_t d) { return (d + 1 + 15) / 16 * 16; }

// sum_i weight_i x_i x_i^T of the drawn rows in the solver's coordinates, a one after each
// (zero without an intercept), then zeros.
template <typename T>
std::vector<double> second_moments(const Context& context, const LogisticRows& rows,
                                   const std::vector<Drawn>& drawn, double scale) {
  const std::size_t width = padded(rows.d);
  std::vector<T> copy(checked_product(drawn.size(), width));
  std::vector<std::size_t> numbers(drawn.size());
  for (std::size_t i = 0; i < drawn.size(); ++i) numbers[i] = rows.order[drawn[i].place];
  RowReader<T> reader(*rows.source, numbers);
  for (std::size_t i = 0; i < drawn.size(); ++i) {
    const double root = std::sqrt(drawn[i].weight * scale);
    const T* from = reader.rows(i, 1)[0];
    T* to = copy.data() + i * width;
    for (std::size_t j = 0; j < rows.d; ++j) {
      to[j] = static_cast<T>((static_cast<double>(from[j]) - rows.mean[j]) * rows.inverse_scale[j] *
                             root);
    }
    to[rows.d] = rows.intercept ? static_cast<T>(root) : T{0};
  }
  return gram<T>(context, {copy.data(), drawn.size(), width, width});
}

// The share of a row's class uncertainty: 1 - |p|^2, or p (1 - p) for two classes.
template <typename P>
double spread(const P* p, std::size_t vectors) {
  if (vectors == 1) return static_cast<double>(kept(p[0]));
  double sum = 0.0;
  for (std::size_t c = 0; c < vectors; ++c) {
    sum += static_cast<double>(kept(p[c])) * kept_rest(p[c]);
  }
  return sum;
}

// Factors moments plus a ridge on the d columns, raised until it succeeds: what rounding left of
// f32 moments can be indefinite.
template <typename T>
void factor_with_ridge(const Context& context, const std::vector<double>& moments, std::size_t d,
                       double ridge, Cholesky<T>& out) {
  const std::size_t width = padded(d);
  double trace = 0.0;
  for (std::size_t j = 0; j < width; ++j) trace += moments[j * width + j];
  const double unit = std::max(trace, std::numeric_limits<double>::min());
  double floor = 8.0 * static_cast<double>(std::numeric_limits<T>::epsilon()) * unit;
  std::vector<double> a;
  for (int attempt = 0; attempt < 12; ++attempt, floor *= 10.0) {
    a = moments;
    for (std::size_t j = 0; j < width; ++j) {
      a[j * width + j] += j < d ? std::max(ridge, floor) : j == d ? floor : unit;
    }
    if (out.factor(context, a, width)) return;
  }
  std::fill(a.begin(), a.end(), 0.0);
  for (std::size_t j = 0; j < width; ++j) a[j * width + j] = unit;
  (void)out.factor(context, a, width);
}

}  // namespace

template <typename T>
SharedMoments<T>::SharedMoments(const Context& context, const LogisticRows& rows,
                                const std::vector<double>& importance, std::size_t wanted)
    : d_(rows.d) {
  double total = 0.0;
  for (const double value : importance) total += value;
  moments_ = second_moments<T>(context, rows, draw(importance, wanted),
                               1.0 / std::max(total, std::numeric_limits<double>::min()));
}

template <typename T>
const Cholesky<T>& SharedMoments<T>::factor(const Context& context, double ridge) {
  const std::scoped_lock lock(mutex_);
  const int key = static_cast<int>(std::lround(std::log2(ridge)));
  auto& slot = factors_[key];
  if (!slot) {
    slot = std::make_unique<Cholesky<T>>();
    factor_with_ridge(context, moments_, d_, std::exp2(key), *slot);
  }
  return *slot;
}

template <typename T>
double Preconditioner<T>::cost(Preconditioning kind, const LogisticTask& task, std::size_t d) {
  const double width = static_cast<double>(d + 1);
  if (kind == Preconditioning::kDiagonal) return static_cast<double>(kStatisticRows) * width;
  const double rows = static_cast<double>(std::min(task.count, kSampleFactor * (d + 1)));
  // Half of the Gram's operations by symmetry; a factorisation in f64 runs at half the speed.
  const double one = rows * width * width + 4.0 / 3.0 * width * width * width;
  if (kind == Preconditioning::kMoments) return one + 4.0 * width * width * width;
  return one * static_cast<double>(task.vectors);
}

template <typename T>
bool Preconditioner<T>::fits(Preconditioning kind, const LogisticTask& task, std::size_t d) {
  if (kind == Preconditioning::kDiagonal) return true;
  const double square = static_cast<double>(d + 1) * static_cast<double>(d + 1);
  const double count = kind == Preconditioning::kMoments ? 8.0 : static_cast<double>(task.vectors);
  return count * square * 2.0 * sizeof(T) <= kMemory;
}

// The mean of diag(p) - p p^T over the rows, or over every so many of them.
template <typename T>
void Preconditioner<T>::class_covariance(const Source& source) {
  const std::size_t m = vectors_, n = source.task.weights.size();
  std::vector<double> covariance(m * m);
  const std::size_t step = std::max<std::size_t>(1, n / kStatisticRows);
  double total = 0.0;
  for (std::size_t i = 0; i < n; i += step) {
    const double weight = source.task.weights[i];
    if (!(weight > 0.0)) continue;
    total += weight;
    const Kept<T>* p = source.probabilities.data() + i * m;
    for (std::size_t c = 0; c < m; ++c) {
      const double mass = weight * static_cast<double>(kept(p[c]));
      covariance[c * m + c] += m == 1 ? mass : mass * kept_rest(p[c]);
      if (m > kMaxEigenClasses) continue;
      for (std::size_t e = 0; e < c; ++e) {
        covariance[c * m + e] -= mass * static_cast<double>(kept(p[e]));
      }
    }
  }
  total = std::max(total, std::numeric_limits<double>::min());
  for (std::size_t c = 0; c < m; ++c) {
    covariance[c * m + c] /= total;
    for (std::size_t e = 0; e < c; ++e) {
      covariance[e * m + c] = covariance[c * m + e] /= total;
    }
  }
  transposed_.clear();
  if (m == 1 || m > kMaxEigenClasses) {
    classes_.vectors.clear();
    classes_.values.resize(m);
    for (std::size_t c = 0; c < m; ++c) classes_.values[c] = covariance[c * m + c];
  } else {
    classes_ = small_eigen(std::move(covariance), m);
    transposed_.resize(m * m);
    for (std::size_t c = 0; c < m; ++c) {
      for (std::size_t e = 0; e < m; ++e) transposed_[c * m + e] = classes_.vectors[e * m + c];
    }
  }
  // The shift common to all classes has eigenvalue 0 up to rounding; the solver removes it.
  const double top = *std::max_element(classes_.values.begin(), classes_.values.end());
  for (double& value : classes_.values) {
    value = std::max({value, 1e-12 * top, std::numeric_limits<double>::min()});
  }
}

template <typename T>
void Preconditioner<T>::diagonal(const Source& source) {
  const std::size_t d = width_ - 1, n = source.task.weights.size();
  std::vector<double>& moments = columns_;
  moments.assign(width_, 0.0);
  const std::size_t step = std::max<std::size_t>(1, n / kStatisticRows);
  double mass = 0.0;
  std::vector<std::size_t> numbers;
  for (std::size_t i = 0; i < n; i += step) numbers.push_back(source.rows.order[i]);
  RowReader<T> reader(*source.rows.source, numbers);
  for (std::size_t i = 0; i < n; i += step) {
    const double weight =
        source.task.weights[i] * spread(source.probabilities.data() + i * vectors_, vectors_);
    if (!(weight > 0.0)) continue;
    mass += weight;
    const T* x = reader.rows(i / step, 1)[0];
    for (std::size_t j = 0; j < d; ++j) {
      const double value =
          (static_cast<double>(x[j]) - source.rows.mean[j]) * source.rows.inverse_scale[j];
      moments[j] += weight * value * value;
    }
  }
  for (double& value : moments) value /= std::max(mass, std::numeric_limits<double>::min());
  moments[d] = 1.0;
}

template <typename T>
void Preconditioner<T>::rescale(double strength) {
  scale_.resize(vectors_ * width_);
  for (std::size_t c = 0; c < vectors_; ++c) {
    for (std::size_t j = 0; j < width_; ++j) {
      const double curvature = classes_.values[c] * columns_[j] + (j + 1 < width_ ? strength : 0.0);
      scale_[c * width_ + j] = curvature > 0.0 ? 1.0 / curvature : 0.0;
    }
  }
}

template <typename T>
void Preconditioner<T>::by_class(const Context& context, const Source& source) {
  const std::size_t n = source.task.weights.size();
  blocks_ = std::vector<Cholesky<T>>(vectors_);
  std::vector<double> importance(n);
  for (std::size_t c = 0; c < vectors_; ++c) {
    context.check();
    for (std::size_t i = 0; i < n; ++i) {
      const Kept<T> p = source.probabilities[i * vectors_ + c];
      importance[i] = source.task.weights[i] * static_cast<double>(kept(p)) *
                      (vectors_ == 1 ? 1.0 : kept_rest(p));
    }
    factor_with_ridge(
        context,
        second_moments<T>(context, source.rows, draw(importance, kSampleFactor * width_), 1.0),
        source.rows.d, source.strength, blocks_[c]);
  }
}

template <typename T>
void Preconditioner<T>::build(const Context& context, Preconditioning kind, const Source& source,
                              std::shared_ptr<SharedMoments<T>> shared) {
  kind_ = kind;
  vectors_ = source.task.vectors;
  width_ = source.rows.d + 1;
  if (kind == Preconditioning::kByClass) {
    by_class(context, source);
    return;
  }
  blocks_.clear();
  class_covariance(source);
  if (kind == Preconditioning::kDiagonal) {
    diagonal(source);
  } else if (shared) {
    moments_ = std::move(shared);
  } else {
    const std::size_t n = source.task.weights.size();
    std::vector<double> importance(n);
    for (std::size_t i = 0; i < n; ++i) {
      importance[i] =
          source.task.weights[i] * spread(source.probabilities.data() + i * vectors_, vectors_);
    }
    moments_ = std::make_shared<SharedMoments<T>>(context, source.rows, importance,
                                                  kSampleFactor * width_);
  }
  restrengthen(context, source.rows, source.strength);
}

template <typename T>
void Preconditioner<T>::restrengthen(const Context& context, const LogisticRows& rows,
                                     double strength) {
  if (kind_ == Preconditioning::kByClass) return;
  if (kind_ == Preconditioning::kDiagonal) {
    rescale(strength);
    return;
  }
  factor_.resize(vectors_);
  divisor_.resize(vectors_);
  for (std::size_t c = 0; c < vectors_; ++c) {
    const double ridge = strength / classes_.values[c];
    const bool moot = ridge > 1e6 * std::max(rows.variance, 1e-300);
    factor_[c] = moot ? nullptr : &moments_->factor(context, ridge);
    divisor_[c] = moot ? strength : classes_.values[c];
  }
}

template <typename T>
void Preconditioner<T>::rotate(const std::vector<double>& basis, const double* from,
                               double* to) const {
  if (basis.empty()) {
    std::copy_n(from, vectors_ * width_, to);
    return;
  }
  std::vector<const double*> rows(vectors_);
  for (std::size_t c = 0; c < vectors_; ++c) rows[c] = from + c * width_;
  std::fill_n(to, vectors_ * width_, 0.0);
  kernels().f64.outer(rows.data(), vectors_, width_, basis.data(), vectors_, vectors_, to, width_,
                      nullptr);
}

template <typename T>
void Preconditioner<T>::apply(const std::vector<double>& g, std::vector<double>& out) const {
  out.resize(g.size());
  if (kind_ == Preconditioning::kByClass) {
    const std::size_t stride = padded(width_ - 1);
    std::vector<T> row(stride);
    for (std::size_t c = 0; c < vectors_; ++c) {
      std::fill(row.begin(), row.end(), T{0});
      for (std::size_t j = 0; j < width_; ++j) row[j] = static_cast<T>(g[c * width_ + j]);
      blocks_[c].solve(row.data(), 1, stride);
      for (std::size_t j = 0; j < width_; ++j) {
        out[c * width_ + j] = static_cast<double>(row[j]);
      }
    }
    return;
  }
  std::vector<double> rotated(g.size());
  rotate(classes_.vectors, g.data(), rotated.data());
  if (kind_ == Preconditioning::kDiagonal) {
    for (std::size_t i = 0; i < g.size(); ++i) rotated[i] *= scale_[i];
  } else {
    const std::size_t stride = padded(width_ - 1);
    std::vector<T> part;
    std::vector<std::size_t> members;
    for (std::size_t c = 0; c < vectors_; ++c) {
      // Each factor once, for all class vectors that share it.
      if (std::find(factor_.begin(), factor_.begin() + static_cast<std::ptrdiff_t>(c),
                    factor_[c]) != factor_.begin() + static_cast<std::ptrdiff_t>(c)) {
        continue;
      }
      members.clear();
      for (std::size_t e = c; e < vectors_; ++e) {
        if (factor_[e] == factor_[c]) members.push_back(e);
      }
      if (factor_[c] == nullptr) {
        // The penalty is all there is, but for the intercept, which has none.
        for (const std::size_t e : members) {
          double* to = rotated.data() + e * width_;
          for (std::size_t j = 0; j + 1 < width_; ++j) to[j] /= divisor_[e];
          to[width_ - 1] /= classes_.values[e];
        }
        continue;
      }
      part.assign(members.size() * stride, T{0});
      for (std::size_t i = 0; i < members.size(); ++i) {
        const double* from = rotated.data() + members[i] * width_;
        for (std::size_t j = 0; j < width_; ++j) {
          part[i * stride + j] = static_cast<T>(from[j] / divisor_[members[i]]);
        }
      }
      factor_[c]->solve(part.data(), members.size(), stride);
      for (std::size_t i = 0; i < members.size(); ++i) {
        const T* from = part.data() + i * stride;
        double* to = rotated.data() + members[i] * width_;
        for (std::size_t j = 0; j < width_; ++j) to[j] = static_cast<double>(from[j]);
      }
    }
  }
  rotate(transposed_, rotated.data(), out.data());
}

template class SharedMoments<float>;
template class SharedMoments<double>;
template class Preconditioner<float>;
template class Preconditioner<double>;

}  // namespace zoo::detail
