#include "zoo/neighbours.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "heads/neighbour_frame.hpp"
#include "math/kernels.hpp"
#include "math/partition.hpp"
#include "rows/row_reader.hpp"
#include "runtime/parallel.hpp"
#include "zoo/error.hpp"

namespace zoo {
namespace {

constexpr std::size_t kQueryTile = 256;  // rows that stay in cache while the training rows pass
constexpr std::size_t kTrainTile = 64;   // whole panels
constexpr double kVanishing = 1e-30;     // squared, in the frame: where products underflow

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
  Tile(const detail::NeighbourFrame<T>& frame, MatrixView<T> train, MatrixView<T> queries,
       std::size_t begin, std::size_t count, std::size_t wanted)
      : frame_(frame),
        train_(train),
        queries_(queries),
        begin_(begin),
        count_(count),
        in_pairs_(!frame.panels().empty()),
        candidates_(count, Candidates(wanted)) {
    const std::size_t d = train.cols, pairs = detail::pairs_of(d);
    std::vector<float> row(d);
    if (in_pairs_) {
      pairs_.resize(count * pairs);
    } else {
      floats_.resize(count * d);
    }
    for (std::size_t i = 0; i < count; ++i) {
      float* to = in_pairs_ ? row.data() : floats_.data() + i * d;
      placed_.push_back(
          frame.place(queries.row(begin + i), to, in_pairs_ ? pairs_.data() + i * pairs : nullptr));
      if (!in_pairs_) rows_.push_back(to);
    }
    // Of a product's sums (a chain of d additions in pairs, d / 16 lanes in f32), of placing, and
    // of the additions below, relative to the two squared norms.
    error_ = (static_cast<double>(d) / (in_pairs_ ? 2.0 : 4.0) + 16.0) *
             static_cast<double>(std::numeric_limits<float>::epsilon());
    products_.resize(count_ * kTrainTile);
  }

  // All training rows pass, a tile at a time.
  void meet_all() {
    for (std::size_t t = 0; t < train_.rows; t += kTrainTile) {
      const std::size_t count = std::min(kTrainTile, train_.rows - t);
      for (std::size_t s = 0; s < count; ++s) {
        const detail::PlacedRow& row = frame_.train()[t + s];
        lowest_[s] = static_cast<float>(row.norm * (1.0 - error_));
        lengths_[s] = static_cast<float>(2.0 * row.length);
        rests_[s] = static_cast<float>(2.0 * row.rest);
      }
      if (in_pairs_) {
        multiply_pairs(t, count);
      } else {
        multiply_floats(t, count);
      }
      for (std::size_t i = 0; i < count_; ++i) glance(i, t, count);
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
  static constexpr std::size_t kGlance = 16;

  void multiply_floats(std::size_t first, std::size_t count) {
    const std::size_t d = train_.cols;
    tile_.resize(kTrainTile * d);
    for (std::size_t t = 0; t < count; ++t) {
      frame_.place(train_.row(first + t), tile_.data() + t * d, nullptr);
    }
    detail::kernels().f32.dots(rows_.data(), count_, d, tile_.data(), d, count, products_.data(),
                               kTrainTile);
  }

  void multiply_pairs(std::size_t first, std::size_t count) {
    detail::PairProduct product;
    product.a = pairs_.data();
    product.a_row = product.pairs = detail::pairs_of(train_.cols);
    product.b = frame_.panels().data() + first * product.pairs;
    product.rows = count_;
    product.panels = detail::panels_of(count);
    product.c = products_.data();
    product.ldc = kTrainTile;
    detail::kernels().pairs.multiply(product);
  }

  // Branchless over a few rows: hardly any is near.
  void glance(std::size_t i, std::size_t first, std::size_t count) {
    const detail::PlacedRow& query = placed_[i];
    const float* products = products_.data() + i * kTrainTile;
    const auto rest = static_cast<float>(query.rest);
    const auto length = static_cast<float>(query.length + query.rest);
    for (std::size_t t = 0; t < count; t += kGlance) {
      const std::size_t end = std::min(count, t + kGlance);
      const auto bar =
          static_cast<float>(candidates_[i].limit() - query.norm * (1.0 - error_) + kVanishing);
      int any = 0;
      for (std::size_t s = t; s < end; ++s) {
        const float least =
            lowest_[s] - 2.0F * products[s] - (rest * lengths_[s] + length * rests_[s]);
        any |= static_cast<int>(!(least > bar));
      }
      if (any != 0) look(i, first, t, end, products);
    }
  }

  void look(std::size_t i, std::size_t first, std::size_t begin, std::size_t end,
            const float* products) {
    const detail::PlacedRow& query = placed_[i];
    for (std::size_t t = begin; t < end; ++t) {
      const detail::PlacedRow& row = frame_.train()[first + t];
      const double norms = query.norm + row.norm;
      // |q.t - q'.t'| <= |q - q'| |t| + |q'| |t - t'|, by Cauchy and Schwarz.
      const double slack = error_ * norms + kVanishing +
                           2.0 * (query.rest * row.length + (query.length + query.rest) * row.rest);
      const double distance = norms - 2.0 * static_cast<double>(products[t]);
      if (distance - slack > candidates_[i].limit()) continue;
      candidates_[i].add({distance - slack, distance + slack, first + t});
    }
  }

  const detail::NeighbourFrame<T>& frame_;
  MatrixView<T> train_, queries_;
  std::size_t begin_, count_;
  bool in_pairs_;
  double error_ = 0.0;
  std::vector<Candidates> candidates_;
  std::vector<detail::PlacedRow> placed_;  // the queries
  std::vector<float> floats_;              // they as f32, or
  std::vector<const float*> rows_;
  std::vector<std::uint32_t> pairs_;  // as bf16
  std::vector<float> tile_, products_;
  // Of the training rows in the tile: squared norm less the error that it brings, twice the length,
  // twice the rest.
  float lowest_[kTrainTile]{}, lengths_[kTrainTile]{}, rests_[kTrainTile]{};
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
  const detail::NeighbourFrame<T> frame(context, train, queries);
  // Few queries are shared out evenly; the answer does not depend on how.
  const auto threads = static_cast<std::size_t>(std::max(1, context.threads));
  const std::size_t tile = std::clamp<std::size_t>((m + threads - 1) / threads, 1, kQueryTile);
  parallel_for(context, (m + tile - 1) / tile, [&](std::size_t task) {
    Tile<T> each(frame, train, queries, task * tile, std::min(tile, m - task * tile), out.count);
    each.meet_all();
    each.finish(out);
  });
  return out;
}

template Neighbours nearest_neighbours(const Context&, MatrixView<float>, MatrixView<float>,
                                       std::size_t);
template Neighbours nearest_neighbours(const Context&, MatrixView<double>, MatrixView<double>,
                                       std::size_t);

}  // namespace zoo
