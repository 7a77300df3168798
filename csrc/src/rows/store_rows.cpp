#include <algorithm>
#include <utility>

#include "zoo/error.hpp"
#include "zoo/row_source.hpp"

namespace zoo {
namespace {

constexpr std::size_t kBlockBytes = std::size_t{1} << 20;  // stays in cache until it is used

RowType row_type(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return RowType::kF32;
    case DType::kF16:
      return RowType::kF16;
    case DType::kBF16:
      return RowType::kBF16;
    case DType::kI8:
      break;
  }
  return RowType::kI8;
}

ColumnSpec spec_of(const Store& store, const std::string& column) {
  ColumnSpec spec;
  if (!store.find_column(column, spec)) {
    throw Error(ErrorKind::kInvalid, "the store has no column '" + column + "'");
  }
  if (spec.ragged) {
    throw Error(ErrorKind::kInvalid,
                "column '" + column + "' has rows of many vectors: pool them first");
  }
  return spec;
}

}  // namespace

StoreRows::StoreRows(const Store& store, std::string column, std::vector<RowKey> keys)
    : StoreRows(store, column, std::move(keys), spec_of(store, column)) {}

StoreRows::StoreRows(const Store& store, std::string column, std::vector<RowKey> keys,
                     ColumnSpec spec)
    : RowSource(keys.size(), spec.dim, row_type(spec.dtype)),
      store_(&store),
      column_(std::move(column)),
      keys_(std::move(keys)) {
  std::vector<std::uint8_t> has(keys_.size());
  store_->contains(keys_, column_, has);
  const auto lacking = std::find(has.begin(), has.end(), std::uint8_t{0});
  if (lacking != has.end()) {
    throw Error(ErrorKind::kInvalid, "column '" + column_ + "' lacks row " +
                                         std::to_string(lacking - has.begin()) + " of " +
                                         std::to_string(keys_.size()));
  }
}

std::size_t StoreRows::block_rows() const noexcept {
  const std::size_t row_bytes = std::max<std::size_t>(1, cols() * row_type_size(type()));
  return std::clamp<std::size_t>(kBlockBytes / row_bytes, 32, 4096);
}

void StoreRows::will_need(std::span<const std::size_t> numbers) const noexcept {
  if (numbers.empty()) return;
  store_->will_need(keys_[numbers.front()], keys_[numbers.back()], numbers.size(), column_);
}

void StoreRows::read(std::span<const std::size_t> numbers, RowBlock& out) const {
  const std::size_t row_bytes = cols() * row_type_size(type());
  std::vector<RowKey> wanted(numbers.size());
  for (std::size_t i = 0; i < numbers.size(); ++i) wanted[i] = keys_[numbers[i]];
  out.bytes.resize(numbers.size() * row_bytes);
  out.scales.resize(type() == RowType::kI8 ? numbers.size() : 0);
  if (store_->gather(Context{}, wanted, column_, {out.bytes, {}, out.scales}) != 0) {
    throw Error(ErrorKind::kCorrupt, "rows of column '" + column_ + "' are gone from the store");
  }
  out.rows.resize(numbers.size());
  for (std::size_t i = 0; i < numbers.size(); ++i) out.rows[i] = out.bytes.data() + i * row_bytes;
}

}  // namespace zoo
