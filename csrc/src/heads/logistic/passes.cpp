#include "heads/logistic/passes.hpp"

#include <algorithm>
#include <atomic>
#include <map>
#include <thread>

#include "heads/logistic/pass_tiles.hpp"
#include "math/kernels.hpp"
#include "math/partition.hpp"
#include "runtime/parallel.hpp"

namespace zoo::detail {
namespace {

constexpr std::size_t kBlocks = 16;      // most parts of a reduction; results depend on them
constexpr std::size_t kBlockRows = 512;  // rows that a part is worth
constexpr double kWorthAThread = 1.5e7;  // operations below which starting a thread costs more
constexpr double kTileRate = 4.0;        // of bf16 over f32, from which three terms beat it too

template <typename T, typename A>
double losses_of(const LogitTile<A>& tile, const std::uint32_t* codes, Kept<T>* p) {
  if constexpr (sizeof(A) == sizeof(float)) {
    return kernels().loss_f32.losses(tile, codes, p);
  } else if constexpr (sizeof(T) == sizeof(float)) {
    return kernels().loss_mixed.losses(tile, codes, p);
  } else {
    return kernels().loss_f64.losses(tile, codes, p);
  }
}

template <typename T>
void curve_of(const LogitTile<T>& tile, const Kept<T>* p, bool rounded) {
  if constexpr (sizeof(T) == sizeof(float)) {
    (rounded ? kernels().curve_bf16 : kernels().curve_f32).curve(tile, p);
  } else {
    kernels().curve_f64.curve(tile, p);
  }
}

// All columns of all requests beside each other, as the rows' own coordinates want them.
template <typename A>
struct Columns {
  std::vector<A> weights;          // (columns, d)
  std::vector<A> offsets;          // (columns)
  std::vector<std::size_t> first;  // of each request, and one past the last
};

template <typename T, typename A, typename Products>
Columns<A> columns_of(const LogisticRows& rows, const std::vector<PassRequest<T>*>& requests,
                      Products& products) {
  const std::size_t d = rows.d;
  Columns<A> out;
  out.first.push_back(0);
  for (const PassRequest<T>* request : requests) {
    out.first.push_back(out.first.back() + request->task->vectors);
  }
  const std::size_t columns = out.first.back();
  out.weights.resize(checked_product(columns, d));
  out.offsets.resize(columns);
  for (std::size_t q = 0; q < requests.size(); ++q) {
    const double* u = requests[q]->at->data();
    for (std::size_t c = out.first[q]; c < out.first[q + 1]; ++c, u += d + 1) {
      A* w = out.weights.data() + c * d;
      for (std::size_t j = 0; j < d; ++j) w[j] = static_cast<A>(u[j] * rows.inverse_scale[j]);
    }
  }
  products.pack(out.weights, columns);
  for (std::size_t q = 0; q < requests.size(); ++q) {
    const double* u = requests[q]->at->data();
    for (std::size_t c = out.first[q]; c < out.first[q + 1]; ++c, u += d + 1) {
      const A* w = out.weights.data() + c * d;
      double offset = u[d];  // of the weights as they were rounded
      for (std::size_t j = 0; j < d; ++j) offset -= static_cast<double>(w[j]) * rows.mean[j];
      out.offsets[c] = static_cast<A>(offset);
    }
  }
  return out;
}

// One block's share of the reduction over rows.
template <typename A>
struct Share {
  std::vector<A> gradient;   // (columns, d)
  std::vector<double> sums;  // (columns)
  std::vector<double> loss;  // a request
};

template <typename T, typename Products>
class Pass {
  using A = typename Products::Value;

 public:
  Pass(const LogisticRows& rows, const std::vector<PassRequest<T>*>& requests, Products products,
       bool rounded = false)
      : rows_(rows),
        requests_(requests),
        products_(std::move(products)),
        columns_(columns_of<T, A>(rows, requests, products_)),
        rounded_(rounded) {}

  void run(const Context& context) {
    const std::size_t n = rows_.order.size(), columns = columns_.first.back();
    Context used = context;
    if (pass_cost(n, rows_.d, columns) < kWorthAThread) used.threads = 1;
    for (PassRequest<T>* request : requests_) {
      if (request->kind == PassRequest<T>::Kind::kLoss) {
        request->probabilities->resize(checked_product(n, request->task->vectors));
      }
    }
    const Partition blocks(n, Products::kRows, std::clamp<std::size_t>(n / kBlockRows, 1, kBlocks));
    shares_.resize(blocks.count());
    // A block of a large problem takes seconds: whoever waits for an answer to Ctrl-C should not.
    const std::thread::id caller = std::this_thread::get_id();
    std::atomic<bool> stopped{false};
    const auto check = [&] {
      if (std::this_thread::get_id() != caller) return;
      try {
        context.check();
      } catch (...) {
        stopped = true;
        throw;
      }
    };
    parallel_for(used, blocks.count(), [&](std::size_t b) {
      Share<A>& share = shares_[b];
      share.gradient.assign(columns * products_.width(), A{0});
      share.sums.assign(columns, 0.0);
      share.loss.assign(requests_.size(), 0.0);
      const std::size_t begin = blocks.begin(b), end = blocks.end(b);
      Block block{begin,
                  {products_, *rows_.source, std::span(rows_.order).subspan(begin, end - begin)},
                  {}};
      block.values.resize(Products::kRows * products_.stride());
      for (std::size_t i = begin; i < end && !stopped; i += Products::kRows) {
        check();
        tile(share, block, i, std::min(Products::kRows, end - i));
      }
    });
    parallel_for(used, requests_.size(), [&](std::size_t q) { collect(q); });
  }

 private:
  // What a thread needs to go through one block of rows.
  struct Block {
    std::size_t begin;
    typename Products::Tile products;
    std::vector<A> values;  // a tile's logits, and what they become
  };

  [[nodiscard]] bool wanted(std::size_t q, std::size_t begin, std::size_t count) const {
    const std::vector<std::uint8_t>& has_rows = requests_[q]->task->has_rows;
    for (std::size_t t = begin / kLogisticTile; t * kLogisticTile < begin + count; ++t) {
      if (has_rows[t] != 0) return true;
    }
    return false;
  }

  void tile(Share<A>& share, Block& block, std::size_t begin, std::size_t count) const {
    bool read = false;
    // Requests beside each other that want these rows share two products.
    for (std::size_t q = 0; q < requests_.size();) {
      if (!wanted(q, begin, count)) {
        ++q;
        continue;
      }
      std::size_t end = q + 1;
      while (end < requests_.size() && wanted(end, begin, count)) ++end;
      if (!read) block.products.read(begin - block.begin, count);
      read = true;
      const std::size_t from = columns_.first[q], width = columns_.first[end] - from;
      block.products.dots(from, width, block.values.data());
      for (; q < end; ++q) row_wise(share, q, begin, count, block.values);
      block.products.outer(from, width, block.values.data(), share.gradient.data());
    }
  }

  void row_wise(Share<A>& share, std::size_t q, std::size_t begin, std::size_t count,
                std::vector<A>& values) const {
    const PassRequest<T>& request = *requests_[q];
    const std::size_t first = columns_.first[q], vectors = request.task->vectors;
    LogitTile<A> tile;
    tile.values = values.data() + first;
    tile.rows = count;
    tile.columns = vectors;
    tile.stride = products_.stride();
    tile.offsets = columns_.offsets.data() + first;
    tile.weights = request.task->weights.data() + begin;
    tile.sums = share.sums.data() + first;
    Kept<T>* p = request.probabilities->data() + begin * vectors;
    if (request.kind == PassRequest<T>::Kind::kLoss) {
      share.loss[q] += losses_of<T, A>(tile, request.task->codes.data() + begin, p);
    } else if constexpr (sizeof(A) == sizeof(T)) {
      curve_of<T>(tile, p, rounded_);
    }
  }

  // Sums the blocks in order and turns to the solver's coordinates.
  void collect(std::size_t q) const {
    PassRequest<T>& request = *requests_[q];
    const std::size_t d = rows_.d, vectors = request.task->vectors;
    request.result.assign(vectors * (d + 1), 0.0);
    request.loss = 0.0;
    for (const Share<A>& share : shares_) request.loss += share.loss[q];
    for (std::size_t c = 0; c < vectors; ++c) {
      const std::size_t column = columns_.first[q] + c;
      double* to = request.result.data() + c * (d + 1);
      for (const Share<A>& share : shares_) {
        const A* from = share.gradient.data() + column * products_.width();
        for (std::size_t j = 0; j < d; ++j) to[j] += static_cast<double>(from[j]);
        to[d] += share.sums[column];
      }
      for (std::size_t j = 0; j < d; ++j) {
        to[j] = (to[j] - to[d] * rows_.mean[j]) * rows_.inverse_scale[j];
      }
      if (!request.task->intercept) to[d] = 0.0;
    }
  }

  const LogisticRows& rows_;
  const std::vector<PassRequest<T>*>& requests_;
  Products products_;
  Columns<A> columns_;
  bool rounded_;
  std::vector<Share<A>> shares_;
};

// The arithmetic that a request is answered in: kDouble, or bf16 terms; none is the rows' own.
constexpr std::size_t kOwn = 0, kDouble = kMostTerms + 1;

template <typename T>
std::size_t arithmetic_of(const PassRequest<T>& request, const RowSource& source) {
  if constexpr (sizeof(T) == sizeof(double)) {
    return kOwn;
  } else {
    if (request.precise) return kDouble;
    if (source.type() != RowType::kBF16 || !pairs_serve(request.task->vectors)) return kOwn;
    if (request.rough && request.kind == PassRequest<T>::Kind::kCurve) return 1;
    return kernels().pairs.rate >= kTileRate ? kMostTerms : kOwn;
  }
}

}  // namespace

bool pairs_serve(std::size_t vectors) noexcept {
  constexpr std::size_t kWorthPairs = 4;  // columns from which pairs beat widened rows
  return kernels().pairs.multiply != nullptr && vectors >= kWorthPairs;
}

template <typename T>
void run_pass(const Context& context, const LogisticRows& rows,
              const std::vector<PassRequest<T>*>& requests) {
  std::map<std::size_t, std::vector<PassRequest<T>*>> by_arithmetic;
  for (PassRequest<T>* request : requests) {
    by_arithmetic[arithmetic_of(*request, *rows.source)].push_back(request);
  }
  for (const auto& [arithmetic, some] : by_arithmetic) {
    if (arithmetic == kOwn) {
      Pass<T, FloatProducts<T>>(rows, some, FloatProducts<T>(rows)).run(context);
    } else if constexpr (sizeof(T) == sizeof(float)) {
      if (arithmetic == kDouble) {
        Pass<T, FloatProducts<double>>(rows, some, FloatProducts<double>(rows)).run(context);
      } else {
        Pass<T, PairProducts>(rows, some, PairProducts(rows, arithmetic), arithmetic == 1)
            .run(context);
      }
    }
  }
}

template void run_pass(const Context&, const LogisticRows&,
                       const std::vector<PassRequest<float>*>&);
template void run_pass(const Context&, const LogisticRows&,
                       const std::vector<PassRequest<double>*>&);

}  // namespace zoo::detail
