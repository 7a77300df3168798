#include "store/header_json.hpp"

#include <array>
#include <set>

#include "store/checked.hpp"
#include "store/damage.hpp"

namespace zoo::detail {
namespace {

void append_utf8(std::string& out, std::uint32_t code) {
  const auto put = [&out](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | (code >> 6));
    put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | (code >> 12));
    put(0x80 | ((code >> 6) & 0x3F));
    put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | (code >> 18));
    put(0x80 | ((code >> 12) & 0x3F));
    put(0x80 | ((code >> 6) & 0x3F));
    put(0x80 | (code & 0x3F));
  }
}

// The grammar's depth is fixed at three, so nesting can't exhaust the stack: whatever stands where
// a string, number or known object belongs is refused at its first byte.
class Parser {
 public:
  Parser(std::string_view text, const std::string& path) : text_(text), path_(path) {}

  Header header() {
    Header header;
    std::set<std::string> names;
    if (text_.empty() || text_[0] != '{') fail("the header does not start with {");
    object([&](std::string name) {
      if (!names.insert(name).second) fail("'" + name + "' stands twice in the header");
      if (name == "__metadata__") {
        std::set<std::string> keys;
        object([&](std::string key) {
          if (!keys.insert(key).second) fail("'" + key + "' stands twice in the metadata");
          header.metadata.emplace_back(std::move(key), string());
        });
        return;
      }
      if (header.tensors.size() == kMaxTensors) fail("the header has too many tensors");
      header.tensors.push_back(tensor(std::move(name)));
    });
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
    if (at_ != text_.size()) fail("text follows the header's object");
    return header;
  }

 private:
  [[noreturn]] void fail(const std::string& why) const {
    throw ShardDamage(path_, why + " (header byte " + std::to_string(at_) + ")");
  }

  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  void skip_space() {
    while (at_ < text_.size() &&
           (peek() == ' ' || peek() == '\n' || peek() == '\t' || peek() == '\r')) {
      ++at_;
    }
  }

  bool accept(char c) {
    skip_space();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  void expect(char c) {
    if (!accept(c)) fail(std::string("expected '") + c + "'");
  }

  template <typename Member>
  void object(const Member& member) {
    expect('{');
    if (accept('}')) return;
    do {
      std::string name = string();
      expect(':');
      member(std::move(name));
    } while (accept(','));
    expect('}');
  }

  std::uint64_t number() {
    skip_space();
    const std::size_t start = at_;
    std::uint64_t value = 0;
    while (peek() >= '0' && peek() <= '9') {
      const auto shifted = checked_mul(value, 10);
      const auto sum =
          shifted ? checked_add(*shifted, static_cast<std::uint64_t>(peek() - '0')) : shifted;
      if (!sum) fail("a number does not fit 64 bits");
      value = *sum;
      ++at_;
    }
    if (at_ == start) fail("expected an unsigned integer");
    if (text_[start] == '0' && at_ > start + 1) fail("a number starts with 0");
    return value;
  }

  std::vector<std::uint64_t> numbers() {
    std::vector<std::uint64_t> values;
    expect('[');
    if (accept(']')) return values;
    do {
      if (values.size() == kMaxShape) fail("a list is too long");
      values.push_back(number());
    } while (accept(','));
    expect(']');
    return values;
  }

  HeaderTensor tensor(std::string name) {
    HeaderTensor tensor;
    std::array<bool, 3> seen{};
    const auto once = [&](std::size_t field) {
      if (seen[field]) fail("'" + name + "' has a member twice");
      seen[field] = true;
    };
    object([&](const std::string& field) {
      if (field == "dtype") {
        once(0);
        tensor.dtype = string();
      } else if (field == "shape") {
        once(1);
        tensor.shape = numbers();
      } else if (field == "data_offsets") {
        once(2);
        const std::vector<std::uint64_t> offsets = numbers();
        if (offsets.size() != 2) fail("'" + name + "' needs two data_offsets");
        tensor.begin = offsets[0];
        tensor.end = offsets[1];
      } else {
        fail("'" + name + "' has an unknown member '" + field + "'");
      }
    });
    if (!(seen[0] && seen[1] && seen[2])) fail("'" + name + "' lacks a member");
    tensor.name = std::move(name);
    return tensor;
  }

  std::uint32_t hex4() {
    std::uint32_t value = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      const char c = peek();
      std::uint32_t digit = 0;
      if (c >= '0' && c <= '9') {
        digit = static_cast<std::uint32_t>(c - '0');
      } else if (c >= 'a' && c <= 'f') {
        digit = static_cast<std::uint32_t>(c - 'a') + 10;
      } else if (c >= 'A' && c <= 'F') {
        digit = static_cast<std::uint32_t>(c - 'A') + 10;
      } else {
        fail("bad \\u escape");
      }
      value = value << 4 | digit;
    }
    return value;
  }

  void escape(std::string& out) {
    const char c = peek();
    ++at_;
    constexpr std::string_view kFrom = "\"\\/bfnrt";
    constexpr std::string_view kTo = "\"\\/\b\f\n\r\t";
    if (c == 'u') {
      std::uint32_t code = hex4();
      if (code >= 0xD800 && code < 0xDC00) {
        if (text_.substr(at_, 2) != "\\u") fail("half a surrogate pair");
        at_ += 2;
        const std::uint32_t low = hex4();
        if (low < 0xDC00 || low > 0xDFFF) fail("half a surrogate pair");
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
      } else if (code >= 0xDC00 && code <= 0xDFFF) {
        fail("half a surrogate pair");
      }
      append_utf8(out, code);
      return;
    }
    const std::size_t which = kFrom.find(c);
    if (which == std::string_view::npos) fail("bad escape");
    out.push_back(kTo[which]);
  }

  std::string string() {
    expect('"');
    std::string out;
    for (;;) {
      if (at_ >= text_.size()) fail("a string does not end");
      const char c = text_[at_++];
      if (c == '"') break;
      if (static_cast<unsigned char>(c) < 0x20) fail("a control character in a string");
      if (c == '\\') {
        escape(out);
      } else {
        out.push_back(c);
      }
    }
    if (!is_utf8(out)) fail("a string is not UTF-8");
    return out;
  }

  std::string_view text_;
  const std::string& path_;
  std::size_t at_ = 0;
};

}  // namespace

Header parse_header(std::string_view text, const std::string& path) {
  return Parser(text, path).header();
}

void append_json_string(std::string& out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out.push_back('"');
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') out.push_back('\\');
    if (byte < 0x20) {
      out += "\\u00";
      out.push_back(kHex[byte >> 4]);
      out.push_back(kHex[byte & 15]);
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

bool is_utf8(std::string_view text) noexcept {
  std::size_t i = 0;
  while (i < text.size()) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t more = lead < 0x80   ? 0
                             : lead < 0xC2 ? 9
                             : lead < 0xE0 ? 1
                             : lead < 0xF0 ? 2
                             : lead < 0xF5 ? 3
                                           : 9;
    if (more > 3 || text.size() - i <= more) return false;
    for (std::size_t k = 1; k <= more; ++k) {
      const auto next = static_cast<unsigned char>(text[i + k]);
      if ((next & 0xC0) != 0x80) return false;
      // The second byte rules out overlong forms, surrogates and codes past U+10FFFF.
      if (k == 1 && ((lead == 0xE0 && next < 0xA0) || (lead == 0xED && next > 0x9F) ||
                     (lead == 0xF0 && next < 0x90) || (lead == 0xF4 && next > 0x8F))) {
        return false;
      }
    }
    i += more + 1;
  }
  return true;
}

}  // namespace zoo::detail
