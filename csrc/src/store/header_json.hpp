// Reads the JSON of a safetensors header: strictly, without recursion, from hostile files too.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace zoo::detail {

struct HeaderTensor {
  std::string name;
  std::string dtype;
  std::vector<std::uint64_t> shape;
  std::uint64_t begin = 0;  // from the end of the header
  std::uint64_t end = 0;
  friend bool operator==(const HeaderTensor&, const HeaderTensor&) = default;
};

struct Header {
  std::vector<std::pair<std::string, std::string>> metadata;
  std::vector<HeaderTensor> tensors;  // in the order of the text
};

inline constexpr std::size_t kMaxTensors = 4096;
inline constexpr std::size_t kMaxShape = 8;

// Takes the header's text, trailing spaces included. Throws ShardDamage with `path` for anything
// but one object of tensors and at most one "__metadata__" of strings: other members, duplicate
// names, numbers that are not unsigned 64-bit integers, bad escapes or UTF-8, text behind.
[[nodiscard]] Header parse_header(std::string_view text, const std::string& path);

// Writes `text` as a JSON string. Control characters are escaped, UTF-8 stays as it is.
void append_json_string(std::string& out, std::string_view text);

[[nodiscard]] bool is_utf8(std::string_view text) noexcept;

}  // namespace zoo::detail
