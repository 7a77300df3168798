#include "zoo/error.hpp"
#include "zoo/row_source.hpp"

namespace zoo {

std::size_t row_type_size(RowType type) noexcept {
  switch (type) {
    case RowType::kF64:
      return 8;
    case RowType::kF32:
      return 4;
    case RowType::kF16:
    case RowType::kBF16:
      return 2;
    case RowType::kI8:
      return 1;
  }
  return 0;
}

MemoryRows::MemoryRows(MatrixView<float> x)
    : RowSource(x.rows, x.cols, RowType::kF32),
      values_(reinterpret_cast<const std::byte*>(x.data)),
      stride_(x.stride * sizeof(float)),
      scales_(nullptr) {}

MemoryRows::MemoryRows(MatrixView<double> x)
    : RowSource(x.rows, x.cols, RowType::kF64),
      values_(reinterpret_cast<const std::byte*>(x.data)),
      stride_(x.stride * sizeof(double)),
      scales_(nullptr) {}

MemoryRows::MemoryRows(const void* values, RowType type, std::size_t rows, std::size_t cols,
                       const float* scales)
    : RowSource(rows, cols, type),
      values_(static_cast<const std::byte*>(values)),
      stride_(cols * row_type_size(type)),
      scales_(scales) {
  if ((type == RowType::kI8) != (scales != nullptr)) {
    throw Error(ErrorKind::kInvalid, "rows have scales where they are int8, and only there");
  }
}

void MemoryRows::read(std::span<const std::size_t> numbers, RowBlock& out) const {
  out.rows.resize(numbers.size());
  for (std::size_t i = 0; i < numbers.size(); ++i) out.rows[i] = values_ + numbers[i] * stride_;
  if (scales_ == nullptr) return;
  out.scales.resize(numbers.size());
  for (std::size_t i = 0; i < numbers.size(); ++i) out.scales[i] = scales_[numbers[i]];
}

}  // namespace zoo
