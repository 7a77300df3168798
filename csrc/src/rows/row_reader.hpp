// Rows of a source for one thread, widened to the type that a kernel computes in.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "zoo/context.hpp"
#include "zoo/row_source.hpp"

namespace zoo::detail {

// A is float or double. Stored values are exact in A, but for f64 in float (ask for double) and
// int8's product with its scale, which is rounded to float.
template <typename A>
class RowReader {
 public:
  // Reads rows numbers[0], numbers[1], ...; source and numbers outlive this.
  RowReader(const RowSource& source, std::span<const std::size_t> numbers)
      : source_(source), numbers_(numbers) {}

  // Rows numbers[begin] to numbers[begin + count - 1]; valid until the next call. Cheapest where
  // calls go forward.
  const A* const* rows(std::size_t begin, std::size_t count);
  // The same as they are stored: their bytes.
  const std::byte* const* stored(std::size_t begin, std::size_t count);
  // The same where they are at hand, else nullptr: to fetch them into cache.
  const std::byte* const* stored_ahead(std::size_t begin, std::size_t count) const {
    return holds(begin, count) ? block_.rows.data() + (begin - first_) : nullptr;
  }
  // The same where they lie in memory as they are wanted, else nullptr.
  const A* const* ahead(std::size_t begin, std::size_t count);

 private:
  [[nodiscard]] bool as_stored() const noexcept {
    return source_.type() == (sizeof(A) == sizeof(float) ? RowType::kF32 : RowType::kF64);
  }
  [[nodiscard]] bool holds(std::size_t begin, std::size_t count) const noexcept {
    return begin >= first_ && begin + count <= last_;
  }

  const RowSource& source_;
  std::span<const std::size_t> numbers_;
  RowBlock block_;
  std::size_t first_ = 0, last_ = 0;  // of `numbers_`, those in block_
  std::vector<A> wide_;
  std::vector<float> narrow_;
  std::vector<const A*> pointers_, ahead_;
};

// Throws Error(kInvalid) that names the first row with a NaN or an infinity.
void require_finite(const Context& context, const RowSource& source);

}  // namespace zoo::detail
