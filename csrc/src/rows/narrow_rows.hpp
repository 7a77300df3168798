// Rows of f32 that hold nothing that bf16 does not: narrowed, so that faster products can serve.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "zoo/context.hpp"
#include "zoo/row_source.hpp"

namespace zoo::detail {

// Rows in memory that own their values.
class NarrowRows final : public RowSource {
 public:
  NarrowRows(std::vector<std::uint16_t> bits, std::size_t rows, std::size_t cols)
      : RowSource(rows, cols, RowType::kBF16), bits_(std::move(bits)) {}
  void read(std::span<const std::size_t> numbers, RowBlock& out) const override;
  [[nodiscard]] std::size_t block_rows() const noexcept override { return 1024; }

 private:
  std::vector<std::uint16_t> bits_;
};

// The same rows in bf16 where the source has f32 in memory and every value is one of bf16's, found
// by a scan that ends at the first that is not; else nothing.
std::optional<NarrowRows> narrowed(const Context& context, const RowSource& source);

}  // namespace zoo::detail
