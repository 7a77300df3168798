#include "zoo/neighbours.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "math/kernels.hpp"
#include "math/partition.hpp"
#include "rows/row_reader.hpp"
#include "runtime/parallel.hpp"
#include "zoo/error.hpp"

namespace zoo {
namespace {

constexpr std::size_t kQueryTile = 256;  // rows that stay in cache while the training rows pass
constexpr std::size_t kTrainTile = 60;   // a multiple of every register tile's columns
constexpr std::size_t kRowsPerTask = 512;
constexpr double kVanishing = 1e-30;  // squared, in the frame: where products underflow

// Coordinates in which products lose least: around the training rows' mean, scaled by a power of
// two so that no square overflows or vanishes. Distances are the same up to the scale. A
// difference of two T is right to half an eps of its own size, however far from zero they lie.
template <typename T>
struct Frame {
  std::vector<T> mean;  // (d)
  T scale = 1;
  std::vector<double> norms;  // (n), squared, of the training rows in here

  void place(const T* x, float* to) const {
    for (std::size_t j = 0; j < mean.size(); ++j) {
      to[j] = static_cast<float>((x[j] - mean[j]) * scale);
    }
  }
};

double squared_norm(const float* x, std::size_t d) {
  double sum = 0.0;
  for (std::size_t j = 0; j < d; ++j) sum += static_cast<double>(x[j]) * static_cast<double>(x[j]);
  return sum;
}

template <typename T>
T largest_deviation(const Context& context, MatrixView<T> x, const std::vector<T>& mean) {
  std::vector<T> largest((x.rows + kRowsPerTask - 1) / kRowsPerTask);
  parallel_for(context, largest.size(), [&](std::size_t task) {
    const std::size_t end = std::min(x.rows, (task + 1) * kRowsPerTask);
    for (std::size_t i = task * kRowsPerTask; i < end; ++i) {
      const T* row = x.row(i);
      for (std::size_t j = 0; j < x.cols; ++j) {
        largest[task] = std::max(largest[task], std::abs(row[j] - mean[j]));
      }
    }
  });
  return largest.empty() ? T{0} : *std::max_element(largest.begin(), largest.end());
}

template <typename T>
Frame<T> frame_of(const Context& context, MatrixView<T> train, MatrixView<T> queries) {
  const std::size_t n = train.rows, d = train.cols;
  std::vector<double> mean(d);
  for (std::size_t i = 0; i < n; ++i) {
    if (i % kRowsPerTask == 0) context.check();
    const T* row = train.row(i);
    for (std::size_t j = 0; j < d; ++j) mean[j] += static_cast<double>(row[j]);
  }
  Frame<T> out;
  for (const double sum : mean) out.mean.push_back(static_cast<T>(sum / static_cast<double>(n)));
  const T largest = std::max(largest_deviation(context, train, out.mean),
                             largest_deviation(context, queries, out.mean));
  if (!std::isfinite(largest)) {
    throw Error(ErrorKind::kInvalid,
                "the rows are too far from their mean: scale the columns down");
  }
  if (largest > T{0}) {
    // The scale itself has to be finite.
    constexpr int kLeast = 2 - std::numeric_limits<T>::max_exponent;
    out.scale = std::exp2(static_cast<T>(-std::max(std::ilogb(largest), kLeast)));
  }
  out.norms.resize(n);
  parallel_for(context, (n + kRowsPerTask - 1) / kRowsPerTask, [&](std::size_t task) {
    std::vector<float> placed(d);
    for (std::size_t i = task * kRowsPerTask; i < std::min(n, (task + 1) * kRowsPerTask); ++i) {
      out.place(train.row(i), placed.data());
      out.norms[i] = squared_norm(placed.data(), d);
    }
  });
  return out;
}

// The rows that may be among a query's nearest, as far as the training rows have passed.
class Candidates {
 public:
  struct Row {
    double lower, upper;  // of the squared distance in the frame
    std::size_t number;
  };

  explicit Candidates(std::size_t wanted)
      : wanted_(wanted), room_(std::max<std::size_t>(4 * wanted, 64)) {}

  // Rows whose distance is above it for certain are not among the nearest.
  [[nodiscard]] double limit() const noexcept { return limit_; }
  void add(const Row& row) {
    rows_.push_back(row);
    if (rows_.size() >= room_) prune();
  }
  const std::vector<Row>& remaining() {
    prune();
    return rows_;
  }

 private:
  void prune() {
    if (rows_.size() < wanted_) return;
    const auto kth = rows_.begin() + static_cast<std::ptrdiff_t>(wanted_ - 1);
    std::nth_element(rows_.begin(), kth, rows_.end(),
                     [](const Row& a, const Row& b) { return a.upper < b.upper; });
    limit_ = kth->upper;
    std::erase_if(rows_, [&](const Row& row) { return row.lower > limit_; });
    room_ = std::max(room_, 2 * rows_.size());  // ties may be many
  }

  std::size_t wanted_, room_;
  double limit_ = std::numeric_limits<double>::infinity();
  std::vector<Row> rows_;
};

// One tile of queries against all training rows.
template <typename T>
class Tile {
 public:
  Tile(const Frame<T>& frame, MatrixView<T> train, MatrixView<T> queries, std::size_t begin,
       std::size_t count, std::size_t wanted)
      : frame_(frame),
        train_(train),
        queries_(queries),
        begin_(begin),
        count_(count),
        candidates_(count, Candidates(wanted)) {
    const std::size_t d = train.cols;
    placed_.resize(count * d);
    for (std::size_t i = 0; i < count; ++i) {
      float* to = placed_.data() + i * d;
      frame.place(queries.row(begin + i), to);
      rows_.push_back(to);
      norms_.push_back(squared_norm(to, d));
    }
    // Of a product's lanes, of placing, and of the additions below, relative to the two norms.
    error_ = (static_cast<double>(d) / 4.0 + 16.0) *
             static_cast<double>(std::numeric_limits<float>::epsilon());
  }

  void meet(std::size_t first, std::size_t count) {
    const std::size_t d = train_.cols;
    tile_.resize(kTrainTile * d);
    products_.resize(count_ * kTrainTile);
    for (std::size_t t = 0; t < count; ++t) {
      float* to = tile_.data() + t * d;
      frame_.place(train_.row(first + t), to);
      lowest_[t] = static_cast<float>(frame_.norms[first + t] * (1.0 - error_));
    }
    detail::kernels().f32.dots(rows_.data(), count_, d, tile_.data(), d, count, products_.data(),
                               kTrainTile);
    for (std::size_t i = 0; i < count_; ++i) {
      const float* products = products_.data() + i * kTrainTile;
      for (std::size_t t = 0; t < count; t += kGlance) {
        const std::size_t end = std::min(count, t + kGlance);
        // Branchless over a few rows: hardly any is near.
        const auto bar =
            static_cast<float>(candidates_[i].limit() - norms_[i] * (1.0 - error_) + kVanishing);
        int any = 0;
        for (std::size_t s = t; s < end; ++s) {
          any |= static_cast<int>(!(lowest_[s] - 2.0F * products[s] > bar));
        }
        if (any != 0) look(i, first, t, end, products);
      }
    }
  }

  // Writes the nearest of each query, decided by their distances as f64 gives them.
  void finish(Neighbours& out) {
    std::vector<std::pair<double, std::size_t>> near;
    for (std::size_t i = 0; i < count_; ++i) {
      near.clear();
      const T* query = queries_.row(begin_ + i);
      for (const Candidates::Row& each : candidates_[i].remaining()) {
        const T* row = train_.row(each.number);
        double sum = 0.0;
        for (std::size_t j = 0; j < train_.cols; ++j) {
          const double gap = static_cast<double>(query[j]) - static_cast<double>(row[j]);
          sum += gap * gap;
        }
        near.emplace_back(sum, each.number);
      }
      std::sort(near.begin(), near.end());
      for (std::size_t c = 0; c < out.count; ++c) {
        out.rows[(begin_ + i) * out.count + c] = static_cast<std::int64_t>(near[c].second);
        out.distances[(begin_ + i) * out.count + c] = near[c].first;
      }
    }
  }

 private:
  static constexpr std::size_t kGlance = 20;

  void look(std::size_t i, std::size_t first, std::size_t begin, std::size_t end,
            const float* products) {
    for (std::size_t t = begin; t < end; ++t) {
      const double norms = norms_[i] + frame_.norms[first + t], slack = error_ * norms + kVanishing;
      const double distance = norms - 2.0 * static_cast<double>(products[t]);
      if (distance - slack > candidates_[i].limit()) continue;
      candidates_[i].add({distance - slack, distance + slack, first + t});
    }
  }

  const Frame<T>& frame_;
  MatrixView<T> train_, queries_;
  std::size_t begin_, count_;
  double error_ = 0.0;
  std::vector<Candidates> candidates_;
  std::vector<float> placed_, tile_, products_;
  std::vector<const float*> rows_;
  std::vector<double> norms_;   // squared, of the queries
  float lowest_[kTrainTile]{};  // those of the training rows, less the error that they bring
};

}  // namespace

template <typename T>
Neighbours nearest_neighbours(const Context& context, MatrixView<T> train, MatrixView<T> queries,
                              std::size_t wanted) {
  if (train.cols != queries.cols) {
    throw Error(ErrorKind::kInvalid, "queries and training rows differ in columns");
  }
  if (train.rows == 0 || wanted == 0) {
    throw Error(ErrorKind::kInvalid, "neighbours need at least one training row");
  }
  detail::require_finite(context, MemoryRows(train));
  detail::require_finite(context, MemoryRows(queries));
  const std::size_t n = train.rows, m = queries.rows;
  Neighbours out;
  out.count = std::min(wanted, n);
  out.rows.resize(checked_product(m, out.count));
  out.distances.resize(out.rows.size());
  const Frame<T> frame = frame_of(context, train, queries);
  // Few queries are shared out evenly; the answer does not depend on how.
  const auto threads = static_cast<std::size_t>(std::max(1, context.threads));
  const std::size_t tile = std::clamp<std::size_t>((m + threads - 1) / threads, 1, kQueryTile);
  parallel_for(context, (m + tile - 1) / tile, [&](std::size_t task) {
    Tile<T> each(frame, train, queries, task * tile, std::min(tile, m - task * tile), out.count);
    for (std::size_t t = 0; t < n; t += kTrainTile) each.meet(t, std::min(kTrainTile, n - t));
    each.finish(out);
  });
  return out;
}

template Neighbours nearest_neighbours(const Context&, MatrixView<float>, MatrixView<float>,
                                       std::size_t);
template Neighbours nearest_neighbours(const Context&, MatrixView<double>, MatrixView<double>,
                                       std::size_t);

}  // namespace zoo
