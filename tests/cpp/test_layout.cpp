#include <vector>

#include "check.hpp"
#include "store/header_json.hpp"
#include "store/layout.hpp"

using zoo::DType;
using zoo::ErrorKind;
using zoo::detail::parse_header;
using zoo::detail::plan_layout;
using zoo::detail::read_layout;
using zoo::detail::SizedColumn;

namespace {

void every_part_starts_on_64_bytes() {
  for (std::uint64_t rows = 1; rows < 40; ++rows) {
    const std::vector<SizedColumn> columns = {{{"a", DType::kF32, 5}, rows},
                                              {{"b/\"q\"", DType::kBF16, 3}, rows},
                                              {{"t", DType::kF16, 3, true}, 3 * rows + 1},
                                              {{"none", DType::kI8, 7, true}, 0},
                                              {{"i", DType::kI8, 9}, rows}};
    const auto layout = plan_layout(rows, columns);
    CHECK(layout.key_offset % 64 == 0 && layout.order_offset % 64 == 0);
    for (const auto& column : layout.columns) {
      CHECK(column.values_offset % 64 == 0 && column.crc_offset % 64 == 0);
      CHECK(!column.spec.ragged || column.offsets_offset % 64 == 0);
      CHECK(!column.scaled() || column.scale_offset % 64 == 0);
    }
    CHECK(layout.file_bytes == layout.seal_offset + 32);
    const auto again = read_layout(layout.head, layout.file_bytes, "shard");
    CHECK(again.head == layout.head && again.rows == rows && again.columns.size() == 5);
    for (std::size_t c = 0; c < columns.size(); ++c) {
      CHECK(again.columns[c].spec == columns[c].spec);
      CHECK(again.columns[c].vectors == columns[c].vectors);
    }
  }
}

void a_shard_without_rows_is_refused() {
  const std::vector<SizedColumn> columns = {{{"a", DType::kF32, 5}, 0}};
  CHECK_THROWS(plan_layout(0, columns), ErrorKind::kInvalid);
}

void a_header_with_any_other_byte_is_refused() {
  const std::vector<SizedColumn> columns = {{{"a", DType::kF32, 5}, 7},
                                            {{"b", DType::kF16, 3, true}, 9}};
  const auto layout = plan_layout(7, columns);
  for (std::size_t at = 8; at < layout.head.size(); ++at) {
    for (int value = 0; value < 256; ++value) {
      std::string head = layout.head;
      if (head[at] == static_cast<char>(value)) continue;
      head[at] = static_cast<char>(value);
      CHECK_THROWS(read_layout(head, layout.file_bytes, "shard"), ErrorKind::kCorrupt);
    }
  }
}

void bad_columns_are_refused() {
  const auto refused = [](const std::vector<zoo::ColumnSpec>& specs) {
    std::vector<SizedColumn> columns;
    for (const auto& spec : specs) columns.push_back({spec, 1});
    CHECK_THROWS(plan_layout(1, columns), ErrorKind::kInvalid);
  };
  refused({});
  for (const char* name : {"", "key", "order", "seal", "pad:0", "offsets:x", "scale:x", "crc:x",
                           "__metadata__", "a\nb", "\xff", "\xc0\x80", "\xed\xa0\x80"}) {
    refused({{name, DType::kF32, 1}});
  }
  refused({{std::string(256, 'a'), DType::kF32, 1}});
  refused({{"a", DType::kF32, 0}});
  refused({{"a", DType::kF32, 1}, {"a", DType::kF16, 1}});
  refused({{"a", DType::kF32, SIZE_MAX}});
  const std::vector<SizedColumn> huge = {{{"a", DType::kF32, SIZE_MAX / 8}, 100}};
  CHECK_THROWS(plan_layout(100, huge), ErrorKind::kInvalid);
}

void hostile_json_is_refused() {
  const std::string tensor = "\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]";
  for (const std::string& text : {
           std::string(""),
           std::string("["),
           std::string("{"),
           std::string("{}x"),
           std::string("{\"a\":1}"),
           std::string("{\"a\":[]}"),
           std::string("{\"a\":{}}"),
           std::string("{\"a\":{" + tensor + "},\"a\":{" + tensor + "}}"),
           std::string("{\"a\":{" + tensor + ",\"dtype\":\"U8\"}}"),
           std::string("{\"a\":{" + tensor + ",\"more\":1}}"),
           std::string("{\"a\":{\"dtype\":\"U8\",\"shape\":[-1],\"data_offsets\":[0,1]}}"),
           std::string("{\"a\":{\"dtype\":\"U8\",\"shape\":[01],\"data_offsets\":[0,1]}}"),
           std::string("{\"a\":{\"dtype\":\"U8\",\"shape\":[1e3],\"data_offsets\":[0,1]}}"),
           std::string("{\"a\":{\"dtype\":\"U8\",\"shape\":[18446744073709551616],"
                       "\"data_offsets\":[0,1]}}"),
           std::string("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0]}}"),
           std::string("{\"__metadata__\":{\"a\":\"b\",\"a\":\"c\"}}"),
           std::string("{\"\\ud800\":{" + tensor + "}}"),
           std::string("{\"\\x\":{" + tensor + "}}"),
           std::string("{\"a"),
           std::string("{\"a\\"),
           std::string("{\"a\\u00"),
           std::string("{\"a\xff\":{" + tensor + "}}"),
           "{\"a\":" + std::string(1 << 19, '['),
           "{\"a\":" + std::string(1 << 19, '{'),
       }) {
    CHECK_THROWS(parse_header(text, "shard"), ErrorKind::kCorrupt);
  }
  const auto header = parse_header("{ \"\\u00e9\\ud83d\\ude00\" : {" + tensor + "} }   ", "shard");
  CHECK(header.tensors.at(0).name == "\xc3\xa9\xf0\x9f\x98\x80");
}

}  // namespace

int main() {
  every_part_starts_on_64_bytes();
  a_shard_without_rows_is_refused();
  a_header_with_any_other_byte_is_refused();
  bad_columns_are_refused();
  hostile_json_is_refused();
}
