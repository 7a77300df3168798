#include "store/layout.hpp"

#include <algorithm>
#include <cstring>
#include <set>

#include "store/checked.hpp"
#include "store/damage.hpp"
#include "store/header_json.hpp"

namespace zoo {

std::size_t dtype_size(DType dtype) noexcept {
  switch (dtype) {
    case DType::kF32:
      return 4;
    case DType::kF16:
    case DType::kBF16:
      return 2;
    case DType::kI8:
      return 1;
  }
  return 0;
}

std::string_view dtype_name(DType dtype) noexcept {
  switch (dtype) {
    case DType::kF32:
      return "F32";
    case DType::kF16:
      return "F16";
    case DType::kBF16:
      return "BF16";
    case DType::kI8:
      return "I8";
  }
  return "";
}

DType dtype_from_name(std::string_view name) {
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16, DType::kI8}) {
    if (name == dtype_name(dtype)) return dtype;
  }
  throw Error(ErrorKind::kInvalid,
              "a column's dtype is F32, F16, BF16 or I8, not '" + std::string(name) + "'");
}

}  // namespace zoo

namespace zoo::detail {
namespace {

constexpr std::string_view kVersionName = "zoo.shard";
constexpr std::string_view kVersion = "1";

class Planner {
 public:
  // Appends a tensor of rows * row_bytes bytes and returns its offset from the data's start.
  std::uint64_t add(std::string name, std::string dtype, std::vector<std::uint64_t> shape,
                    std::uint64_t rows, std::uint64_t row_bytes) {
    const auto bytes = checked_mul(rows, row_bytes);
    // Half the range is room enough for the head and the paddings that are added unchecked.
    const auto end = bytes ? checked_add(at_, *bytes) : bytes;
    if (!end || *end > UINT64_MAX / 2) throw Error(ErrorKind::kInvalid, "a shard is too large");
    tensors_.push_back({std::move(name), std::move(dtype), std::move(shape), at_, *end});
    at_ = *end;
    return tensors_.back().begin;
  }

  void align(ShardLayout& layout) {
    const std::uint64_t gap = (kAlignment - at_ % kAlignment) % kAlignment;
    if (gap == 0) return;
    const std::uint64_t offset =
        add("pad:" + std::to_string(layout.padding.size()), "U8", {gap}, gap, 1);
    layout.padding.emplace_back(offset, gap);
  }

  [[nodiscard]] std::uint64_t size() const noexcept { return at_; }
  [[nodiscard]] const std::vector<HeaderTensor>& tensors() const noexcept { return tensors_; }

 private:
  std::vector<HeaderTensor> tensors_;
  std::uint64_t at_ = 0;
};

std::string head_text(const std::vector<HeaderTensor>& tensors) {
  std::string text(8, '\0');
  text +=
      "{\"__metadata__\":{\"" + std::string(kVersionName) + "\":\"" + std::string(kVersion) + "\"}";
  for (const HeaderTensor& tensor : tensors) {
    text += ",";
    append_json_string(text, tensor.name);
    text += ":{\"dtype\":\"" + tensor.dtype + "\",\"shape\":[";
    for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
      if (i > 0) text.push_back(',');
      text += std::to_string(tensor.shape[i]);
    }
    text += "],\"data_offsets\":[" + std::to_string(tensor.begin) + "," +
            std::to_string(tensor.end) + "]}";
  }
  text += "}";
  while (text.size() % kAlignment != 0) text.push_back(' ');
  const std::uint64_t length = text.size() - 8;
  for (std::size_t i = 0; i < 8; ++i) text[i] = static_cast<char>((length >> (8 * i)) & 0xFF);
  return text;
}

std::vector<HeaderTensor> plan_tensors(std::uint64_t rows, std::span<const SizedColumn> columns,
                                       ShardLayout& layout) {
  Planner planner;
  layout.rows = rows;
  layout.key_offset = planner.add("key", "U8", {rows, kKeyBytes}, rows, kKeyBytes);
  planner.align(layout);
  layout.order_offset = planner.add("order", "U32", {rows}, rows, kOrderBytes);
  for (const auto& [spec, vectors] : columns) {
    const auto vector_bytes = checked_mul(spec.dim, dtype_size(spec.dtype));
    if (!vector_bytes) throw Error(ErrorKind::kInvalid, "a row is too large");
    ColumnLayout column{spec, vectors, *vector_bytes};
    if (spec.ragged) {
      planner.align(layout);
      column.offsets_offset =
          planner.add("offsets:" + spec.name, "I64", {rows + 1}, rows + 1, kOffsetBytes);
    }
    planner.align(layout);
    column.values_offset = planner.add(spec.name, std::string(dtype_name(spec.dtype)),
                                       {vectors, spec.dim}, vectors, *vector_bytes);
    if (column.scaled()) {
      planner.align(layout);
      column.scale_offset =
          planner.add("scale:" + spec.name, "F32", {vectors}, vectors, kScaleBytes);
    }
    planner.align(layout);
    column.crc_offset = planner.add("crc:" + spec.name, "U32", {rows}, rows, kCrcBytes);
    layout.columns.push_back(std::move(column));
  }
  layout.seal_offset = planner.add("seal", "U8", {kSealBytes}, kSealBytes, 1);
  layout.file_bytes = planner.size();
  return planner.tensors();
}

ShardLayout finish(ShardLayout layout, std::string head) {
  const std::uint64_t base = head.size();
  layout.head = std::move(head);
  layout.key_offset += base;
  layout.order_offset += base;
  layout.seal_offset += base;
  layout.file_bytes += base;
  for (ColumnLayout& column : layout.columns) {
    column.offsets_offset += base;
    column.values_offset += base;
    column.scale_offset += base;
    column.crc_offset += base;
  }
  for (auto& [offset, size] : layout.padding) offset += base;
  return layout;
}

std::string describe(const HeaderTensor& tensor) {
  std::string text = "'" + tensor.name + "' " + tensor.dtype + " [";
  for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
    if (i > 0) text.push_back(',');
    text += std::to_string(tensor.shape[i]);
  }
  return text + "] at " + std::to_string(tensor.begin) + ".." + std::to_string(tensor.end);
}

bool is_reserved(std::string_view name) noexcept {
  return name == "key" || name == "order" || name == "seal" || name == "__metadata__" ||
         name.starts_with("pad:") || name.starts_with("offsets:") || name.starts_with("scale:") ||
         name.starts_with("crc:");
}

std::vector<SizedColumn> named_columns(const Header& header, const std::string& path) {
  std::set<std::string_view> ragged;
  for (const HeaderTensor& tensor : header.tensors) {
    const std::string_view name = tensor.name;
    if (name.starts_with("offsets:")) ragged.insert(name.substr(8));
  }
  std::vector<SizedColumn> columns;
  for (const HeaderTensor& tensor : header.tensors) {
    if (is_reserved(tensor.name)) continue;
    if (tensor.dtype != "F32" && tensor.dtype != "F16" && tensor.dtype != "BF16" &&
        tensor.dtype != "I8") {
      throw ShardDamage(path, "column " + describe(tensor) + " has an unknown dtype");
    }
    if (tensor.shape.size() != 2) {
      throw ShardDamage(path, "column " + describe(tensor) + " does not have two dimensions");
    }
    const bool is_ragged = ragged.contains(tensor.name);
    columns.push_back({{tensor.name, dtype_from_name(tensor.dtype), tensor.shape[1], is_ragged},
                       is_ragged ? tensor.shape[0] : header.tensors[0].shape[0]});
  }
  return columns;
}

std::vector<ColumnSpec> specs_of(std::span<const SizedColumn> columns) {
  std::vector<ColumnSpec> specs;
  for (const SizedColumn& column : columns) specs.push_back(column.spec);
  return specs;
}

}  // namespace

const ColumnLayout* ShardLayout::find(std::string_view column) const noexcept {
  for (const ColumnLayout& each : columns) {
    if (each.spec.name == column) return &each;
  }
  return nullptr;
}

std::string column_problem(std::span<const ColumnSpec> columns) {
  if (columns.empty()) return "a shard needs a column";
  std::set<std::string_view> names;
  for (const ColumnSpec& spec : columns) {
    const std::string_view name = spec.name;
    const std::string quoted = "'" + spec.name + "'";
    if (name.empty() || name.size() > 255) return "a column's name has 1 to 255 bytes";
    if (!is_utf8(name)) return "a column's name is not UTF-8";
    if (std::any_of(name.begin(), name.end(),
                    [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; })) {
      return "a column's name has a control character";
    }
    if (is_reserved(name)) {
      return "the column name " + quoted + " is the format's own";
    }
    if (!names.insert(name).second) return "the column " + quoted + " is given twice";
    if (spec.dim == 0) return "the column " + quoted + " has rows of 0 values";
  }
  return "";
}

ShardLayout plan_layout(std::uint64_t rows, std::span<const SizedColumn> columns) {
  const std::string problem = column_problem(specs_of(columns));
  if (!problem.empty()) throw Error(ErrorKind::kInvalid, problem);
  if (rows == 0 || rows > kMaxRows) {
    throw Error(ErrorKind::kInvalid, "a shard has 1 to " + std::to_string(kMaxRows) + " rows");
  }
  ShardLayout layout;
  const std::vector<HeaderTensor> tensors = plan_tensors(rows, columns, layout);
  std::string head = head_text(tensors);
  if (head.size() > kMaxHeader) throw Error(ErrorKind::kInvalid, "a shard has too many columns");
  return finish(std::move(layout), std::move(head));
}

std::uint64_t head_size(std::span<const std::byte> first8, std::uint64_t file_bytes,
                        const std::string& path) {
  if (first8.size() < 8) {
    throw ShardDamage(path, "it ends after " + std::to_string(first8.size()) + " bytes");
  }
  std::uint64_t length = 0;
  std::memcpy(&length, first8.data(), 8);
  if (length > kMaxHeader || (length + 8) % kAlignment != 0) {
    throw ShardDamage(path, "its header claims " + std::to_string(length) + " bytes");
  }
  if (length + 8 > file_bytes) {
    throw ShardDamage(path, "its header of " + std::to_string(length) + " bytes is cut off");
  }
  return length + 8;
}

ShardLayout read_layout(std::string_view head, std::uint64_t file_bytes, const std::string& path) {
  const Header header = parse_header(head.substr(8), path);
  if (header.metadata.size() != 1 || header.metadata[0].first != kVersionName) {
    throw ShardDamage(path, "its metadata does not name a zoo.shard version");
  }
  if (header.metadata[0].second != kVersion) {
    throw ShardDamage(path, "it is of zoo.shard version '" + header.metadata[0].second +
                                "', which this version of zoo does not read");
  }
  if (header.tensors.empty() || header.tensors[0].name != "key" ||
      header.tensors[0].shape.size() != 2) {
    throw ShardDamage(path, "its first tensor is not 'key' of two dimensions");
  }
  const std::uint64_t rows = header.tensors[0].shape[0];
  const std::vector<SizedColumn> columns = named_columns(header, path);
  const std::string problem = column_problem(specs_of(columns));
  if (!problem.empty()) throw ShardDamage(path, problem);
  if (rows == 0 || rows > kMaxRows) {
    throw ShardDamage(path, "it claims " + std::to_string(rows) + " rows");
  }

  ShardLayout layout;
  std::vector<HeaderTensor> planned;
  try {
    planned = plan_tensors(rows, columns, layout);
  } catch (const Error& error) {
    throw ShardDamage(path, error.what());
  }
  for (std::size_t i = 0; i < planned.size(); ++i) {
    if (i >= header.tensors.size()) throw ShardDamage(path, "it lacks " + describe(planned[i]));
    if (header.tensors[i] != planned[i]) {
      throw ShardDamage(path, describe(header.tensors[i]) + " should be " + describe(planned[i]));
    }
  }
  if (header.tensors.size() > planned.size()) {
    throw ShardDamage(path, describe(header.tensors[planned.size()]) + " does not belong there");
  }
  layout = finish(std::move(layout), head_text(planned));
  if (layout.head != head) throw ShardDamage(path, "its header is not in the one form allowed");
  if (layout.file_bytes != file_bytes) {
    throw ShardDamage(path, "it is " + std::to_string(file_bytes) + " bytes long and should be " +
                                std::to_string(layout.file_bytes));
  }
  return layout;
}

}  // namespace zoo::detail
