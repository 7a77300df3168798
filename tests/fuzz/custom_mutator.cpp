// Lets libFuzzer use the target's own mutations beside its own.
#include <cstring>

#include "target.hpp"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t most, unsigned seed) {
  Random random(seed);
  if (random() % 2 == 0) return LLVMFuzzerMutate(data, size, most);
  const auto raw = std::as_bytes(std::span(data, size));
  const Bytes changed = mutate({raw.begin(), raw.end()}, random);
  if (changed.size() > most) return LLVMFuzzerMutate(data, size, most);
  if (!changed.empty()) std::memcpy(data, changed.data(), changed.size());
  return changed.size();
}
