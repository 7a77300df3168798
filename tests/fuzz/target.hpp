// What a fuzzed file format gives to a fuzzer: sound files to begin with, mutations that keep
// checksums true, and the store's whole work on whatever came of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <vector>

using Bytes = std::vector<std::byte>;
using Random = std::mt19937_64;

extern const char* const kTargetName;

// Sound files.
std::vector<Bytes> seeds();

// Changes a few bytes or fields and, mostly, makes the checksums over them true again: else nothing
// behind the first of them would ever be reached.
Bytes mutate(Bytes bytes, Random& random);

// Puts the bytes where a store finds them as a file of this kind, and does all that a store can do.
// Ends the program where a promise is broken.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
