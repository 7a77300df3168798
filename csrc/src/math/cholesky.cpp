#include "math/cholesky.hpp"

#include <algorithm>
#include <cmath>

#include "math/kernels.hpp"
#include "runtime/parallel.hpp"

namespace zoo::detail {
namespace {

constexpr std::size_t kBlock = 48;

// Factors the leading `width` columns of a diagonal block in place and inverts the factor.
bool factor_block(double* a, std::size_t width, std::size_t stride, double* inverse) {
  for (std::size_t j = 0; j < width; ++j) {
    double* row = a + j * stride;
    for (std::size_t c = 0; c <= j; ++c) {
      double sum = row[c];
      const double* other = a + c * stride;
      for (std::size_t e = 0; e < c; ++e) sum -= row[e] * other[e];
      if (c < j) {
        row[c] = sum / other[c];
      } else {
        if (!(sum > 0.0) || !std::isfinite(sum)) return false;
        row[c] = std::sqrt(sum);
      }
    }
  }
  std::fill_n(inverse, kBlock * kBlock, 0.0);
  for (std::size_t c = 0; c < width; ++c) {
    inverse[c * kBlock + c] = 1.0 / a[c * stride + c];
    for (std::size_t i = c + 1; i < width; ++i) {
      double sum = 0.0;
      for (std::size_t e = c; e < i; ++e) sum += a[i * stride + e] * inverse[e * kBlock + c];
      inverse[i * kBlock + c] = -sum / a[i * stride + i];
    }
  }
  return true;
}

}  // namespace

template <typename T>
bool Cholesky<T>::factor(const Context& context, std::vector<double>& a, std::size_t d) {
  d_ = 0;
  const auto& tile = kernels().f64;
  const std::size_t blocks = (d + kBlock - 1) / kBlock;
  std::vector<double> inverses(blocks * kBlock * kBlock);
  const auto start = [](std::size_t block) { return block * kBlock; };
  const auto width_of = [&](std::size_t block) { return std::min(kBlock, d - start(block)); };
  Context small = context;
  if (d < 4 * kBlock) small.threads = 1;
  for (std::size_t j = 0; j < blocks; ++j) {
    const std::size_t from = start(j), width = width_of(j);
    // Rows of block i, columns of block j: what the columns before j leave of A.
    const auto update = [&](std::size_t i) {
      const std::size_t first = start(i), count = width_of(i);
      std::vector<const double*> rows(count);
      for (std::size_t t = 0; t < count; ++t) rows[t] = a.data() + (first + t) * d;
      double part[kBlock * kBlock];
      tile.dots(rows.data(), count, from, a.data() + from * d, d, width, part, width);
      for (std::size_t t = 0; t < count; ++t) {
        double* to = a.data() + (first + t) * d + from;
        for (std::size_t c = 0; c < width; ++c) to[c] -= part[t * width + c];
      }
    };
    double* inverse = inverses.data() + j * kBlock * kBlock;
    update(j);
    if (!factor_block(a.data() + from * d + from, width, d, inverse)) return false;
    parallel_for(small, blocks - j - 1, [&](std::size_t below) {
      const std::size_t i = j + 1 + below, first = start(i), count = width_of(i);
      update(i);
      std::vector<const double*> rows(count);
      double solved[kBlock * kBlock];
      for (std::size_t t = 0; t < count; ++t) rows[t] = a.data() + (first + t) * d + from;
      tile.dots(rows.data(), count, width, inverse, kBlock, width, solved, width);
      for (std::size_t t = 0; t < count; ++t) {
        std::copy_n(solved + t * width, width, a.data() + (first + t) * d + from);
      }
    });
  }
  lower_.assign(d * d, T{0});
  upper_.assign(d * d, T{0});
  for (std::size_t j = 0; j < blocks; ++j) {
    const std::size_t from = start(j), width = width_of(j);
    const double* inverse = inverses.data() + j * kBlock * kBlock;
    for (std::size_t t = 0; t < width; ++t) {
      const std::size_t i = from + t;
      for (std::size_t c = 0; c < i + 1; ++c) {
        const double value = c < from ? a[i * d + c] : inverse[t * kBlock + (c - from)];
        lower_[i * d + c] = static_cast<T>(value);
        upper_[c * d + i] = static_cast<T>(value);
      }
    }
  }
  d_ = d;
  return true;
}

template <typename T>
void Cholesky<T>::solve(T* b, std::size_t m, std::size_t stride) const {
  const auto& tile = kernels().of<T>();
  const std::size_t d = d_, blocks = (d + kBlock - 1) / kBlock;
  std::vector<const T*> rows(m);
  std::vector<T> rest(m * kBlock), part(m * kBlock);
  // One block of one substitution: b_j <- D_j (b_j - what the solved columns give).
  const auto step = [&](const std::vector<T>& triangle, std::size_t j, std::size_t solved_from,
                        std::size_t solved) {
    const std::size_t from = j * kBlock, width = std::min(kBlock, d - from);
    for (std::size_t i = 0; i < m; ++i) rows[i] = b + i * stride + solved_from;
    tile.dots(rows.data(), m, solved, triangle.data() + from * d + solved_from, d, width,
              part.data(), width);
    for (std::size_t i = 0; i < m; ++i) {
      const T* have = b + i * stride + from;
      for (std::size_t c = 0; c < width; ++c) {
        rest[i * width + c] = have[c] - part[i * width + c];
      }
      rows[i] = rest.data() + i * width;
    }
    tile.dots(rows.data(), m, width, triangle.data() + from * d + from, d, width, part.data(),
              width);
    for (std::size_t i = 0; i < m; ++i) std::copy_n(&part[i * width], width, b + i * stride + from);
  };
  for (std::size_t j = 0; j < blocks; ++j) step(lower_, j, 0, j * kBlock);
  for (std::size_t j = blocks; j-- > 0;) {
    const std::size_t after = std::min(d, (j + 1) * kBlock);
    step(upper_, j, after, d - after);
  }
}

template class Cholesky<float>;
template class Cholesky<double>;

}  // namespace zoo::detail
