#include "rows/row_reader.hpp"

#include <algorithm>
#include <atomic>
#include <numeric>
#include <string>
#include <type_traits>

#include "math/kernels.hpp"
#include "math/partition.hpp"
#include "runtime/parallel.hpp"
#include "zoo/error.hpp"

namespace zoo::detail {
namespace {

// One row's values as float.
void widen(RowType type, const std::byte* from, float scale, std::size_t d, float* to) {
  const WidenKernels& kernel = kernels().widen;
  switch (type) {
    case RowType::kF16:
      return kernel.f16(reinterpret_cast<const std::uint16_t*>(from), d, to);
    case RowType::kBF16:
      return kernel.bf16(reinterpret_cast<const std::uint16_t*>(from), d, to);
    case RowType::kI8:
      return kernel.i8(reinterpret_cast<const std::int8_t*>(from), scale, d, to);
    case RowType::kF32: {
      const auto* values = reinterpret_cast<const float*>(from);
      std::copy_n(values, d, to);
      return;
    }
    case RowType::kF64: {
      const auto* values = reinterpret_cast<const double*>(from);
      for (std::size_t j = 0; j < d; ++j) to[j] = static_cast<float>(values[j]);
      return;
    }
  }
}

}  // namespace

template <typename A>
const std::byte* const* RowReader<A>::stored(std::size_t begin, std::size_t count) {
  if (!holds(begin, count)) {
    first_ = begin;
    last_ = std::min(numbers_.size(), begin + std::max(count, source_.block_rows()));
    source_.read(numbers_.subspan(first_, last_ - first_), block_);
    const std::size_t rest = numbers_.size() - last_;
    if (rest > 0) source_.will_need(numbers_.subspan(last_, std::min(rest, source_.block_rows())));
  }
  return block_.rows.data() + (begin - first_);
}

template <typename A>
const A* const* RowReader<A>::rows(std::size_t begin, std::size_t count) {
  const std::size_t d = source_.cols();
  const std::byte* const* from = stored(begin, count);
  pointers_.resize(count);
  if (as_stored()) {
    for (std::size_t i = 0; i < count; ++i) pointers_[i] = reinterpret_cast<const A*>(from[i]);
    return pointers_.data();
  }
  const float* scales =
      source_.type() == RowType::kI8 ? block_.scales.data() + (begin - first_) : nullptr;
  wide_.resize(checked_product(count, d));
  for (std::size_t i = 0; i < count; ++i) {
    A* to = wide_.data() + i * d;
    pointers_[i] = to;
    const float scale = scales == nullptr ? 1.0F : scales[i];
    if constexpr (std::is_same_v<A, float>) {
      widen(source_.type(), from[i], scale, d, to);
    } else if (source_.type() == RowType::kF32) {
      std::copy_n(reinterpret_cast<const float*>(from[i]), d, to);
    } else {
      narrow_.resize(d);
      widen(source_.type(), from[i], scale, d, narrow_.data());
      std::copy_n(narrow_.data(), d, to);
    }
  }
  return pointers_.data();
}

template <typename A>
const A* const* RowReader<A>::ahead(std::size_t begin, std::size_t count) {
  if (!as_stored() || !holds(begin, count)) return nullptr;
  ahead_.resize(count);
  const std::byte* const* from = block_.rows.data() + (begin - first_);
  for (std::size_t i = 0; i < count; ++i) ahead_[i] = reinterpret_cast<const A*>(from[i]);
  return ahead_.data();
}

template class RowReader<float>;
template class RowReader<double>;

namespace {

template <typename A>
std::size_t first_not_finite(const Context& context, const RowSource& source) {
  constexpr std::size_t kRowsPerTask = 4096, kTile = 32;
  const std::size_t n = source.rows(), d = source.cols();
  std::atomic<std::size_t> first{n};
  parallel_for(context, (n + kRowsPerTask - 1) / kRowsPerTask, [&](std::size_t task) {
    const std::size_t begin = task * kRowsPerTask;
    if (begin > first) return;
    std::vector<std::size_t> numbers(std::min(kRowsPerTask, n - begin));
    std::iota(numbers.begin(), numbers.end(), begin);
    RowReader<A> reader(source, numbers);
    for (std::size_t i = 0; i < numbers.size(); i += kTile) {
      const std::size_t count = std::min(kTile, numbers.size() - i);
      const A* const* x = reader.rows(i, count);
      for (std::size_t t = 0; t < count; ++t) {
        // Branchless, so that the compiler vectorises it: 0 * x is 0 exactly where x is finite.
        int bad = 0;
        for (std::size_t j = 0; j < d; ++j) bad |= static_cast<int>(!(x[t][j] * A{0} == A{0}));
        if (bad == 0) continue;
        const std::size_t row = begin + i + t;
        std::size_t seen = first.load();
        while (row < seen && !first.compare_exchange_weak(seen, row)) {
        }
        return;
      }
    }
  });
  return first;
}

}  // namespace

void require_finite(const Context& context, const RowSource& source) {
  const std::size_t first = source.type() == RowType::kF64
                                ? first_not_finite<double>(context, source)
                                : first_not_finite<float>(context, source);
  if (first < source.rows()) {
    throw Error(ErrorKind::kInvalid, "row " + std::to_string(first) +
                                         " holds a value that is not finite (NaN or infinity)");
  }
}

}  // namespace zoo::detail
