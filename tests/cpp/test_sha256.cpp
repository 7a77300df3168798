#include <string>

#include "check.hpp"
#include "store/sha256.hpp"

using zoo::detail::Sha256;

namespace {

std::string hex(const std::string& message, std::size_t piece) {
  Sha256 sha;
  for (std::size_t at = 0; at < message.size(); at += piece) {
    const std::string part = message.substr(at, piece);
    sha.update(part.data(), part.size());
  }
  std::string text;
  for (const std::uint8_t byte : sha.finish()) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

void nist_vectors() {
  const struct {
    std::string message;
    const char* digest;
  } kVectors[] = {
      {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
      {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
      {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
       "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
      {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmn"
       "opqrsmnopqrstnopqrstu",
       "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
      {std::string(1'000'000, 'a'),
       "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
  };
  for (const auto& vector : kVectors) {
    for (const std::size_t piece : {1u, 63u, 64u, 65u, 1u << 20}) {
      CHECK(hex(vector.message, piece) == vector.digest);
    }
  }
}

}  // namespace

int main() { nist_vectors(); }
