#include "rows/narrow_rows.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <numeric>

#include "math/partition.hpp"
#include "rows/row_reader.hpp"
#include "runtime/parallel.hpp"

namespace zoo::detail {
namespace {

constexpr std::size_t kRowsPerTask = 1024;

bool all_narrow(const float* from, std::size_t count) {
  std::uint32_t rest = 0;
  for (std::size_t j = 0; j < count; ++j) rest |= std::bit_cast<std::uint32_t>(from[j]) & 0xFFFFU;
  return rest == 0;
}

}  // namespace

void NarrowRows::read(std::span<const std::size_t> numbers, RowBlock& out) const {
  out.rows.resize(numbers.size());
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    out.rows[i] = reinterpret_cast<const std::byte*>(bits_.data() + numbers[i] * cols());
  }
}

std::optional<NarrowRows> narrowed(const Context& context, const RowSource& source) {
  if (source.type() != RowType::kF32 || source.sequential()) return std::nullopt;
  const std::size_t n = source.rows(), d = source.cols();
  const auto over_rows = [&](auto&& each) {
    parallel_for(context, (n + kRowsPerTask - 1) / kRowsPerTask, [&](std::size_t task) {
      const std::size_t begin = task * kRowsPerTask;
      std::vector<std::size_t> numbers(std::min(kRowsPerTask, n - begin));
      std::iota(numbers.begin(), numbers.end(), begin);
      RowReader<float> reader(source, numbers);
      const float* const* rows = reader.rows(0, numbers.size());
      for (std::size_t i = 0; i < numbers.size() && each(begin + i, rows[i]); ++i) {
      }
    });
  };
  // Looked at first and copied then: hardly any array is narrow, and its first row tells.
  std::atomic<bool> narrow{true};
  over_rows([&](std::size_t, const float* row) {
    if (narrow && !all_narrow(row, d)) narrow = false;
    return narrow.load();
  });
  if (!narrow) return std::nullopt;
  std::vector<std::uint16_t> bits(checked_product(n, d));
  over_rows([&](std::size_t i, const float* row) {
    for (std::size_t j = 0; j < d; ++j) {
      bits[i * d + j] = static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(row[j]) >> 16U);
    }
    return true;
  });
  return NarrowRows(std::move(bits), n, d);
}

}  // namespace zoo::detail
