// A fuzzer for machines without clang: mutates sound files, and what came of them, by a seed.
//
//   mutate_shard [--seconds 3] [--seed 1] [--write FOLDER] [FILE...]
// FILEs are run once each, as libFuzzer does. --write puts the sound files into a folder, for
// libFuzzer to begin with, and ends. The input under test stands in FOLDER/crash-NAME-SEED when the
// program is ended by it: give --crashes FOLDER.
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fstream>
#include <iterator>
#include <string>

#include "target.hpp"

namespace {

Bytes now;
std::string crash_file;

void write(const std::string& path, const Bytes& bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(reinterpret_cast<const char*>(bytes.data()),
            static_cast<std::streamsize>(bytes.size()));
}

Bytes read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  const auto raw = std::as_bytes(std::span(text));
  return {raw.begin(), raw.end()};
}

// Writing a file in a signal handler is not allowed in general; the process ends right after.
void keep_input(int signal) {
  if (!crash_file.empty()) write(crash_file, now);
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void run() {
  try {
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(now.data()), now.size());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "an exception left the target: %s\n", error.what());
    std::abort();
  }
}

}  // namespace

int main(int argc, char** argv) {
  double seconds = 3;
  std::uint64_t seed = 1;
  std::vector<std::string> files;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    const auto value = [&] { return i + 1 < argc ? argv[++i] : ""; };
    if (option == "--seconds") {
      seconds = std::atof(value());
    } else if (option == "--seed") {
      seed = std::strtoull(value(), nullptr, 10);
    } else if (option == "--crashes") {
      crash_file = std::string(value()) + "/crash-" + kTargetName;
    } else if (option == "--write") {
      const std::string folder = value();
      int number = 0;
      for (const Bytes& each : seeds()) write(folder + "/seed" + std::to_string(number++), each);
      return number > 0 ? 0 : 1;
    } else {
      files.push_back(option);
    }
  }
  (void)std::signal(SIGABRT, keep_input);
  for (const std::string& file : files) {
    now = read(file);
    run();
  }
  if (!files.empty()) return 0;
  Random random(seed);
  std::vector<Bytes> pool = seeds();
  const std::size_t sound = pool.size();
  std::size_t runs = 0;
  for (const Bytes& each : pool) {
    now = each;
    run();
    ++runs;
  }
  const auto start = std::chrono::steady_clock::now();
  const auto passed = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  while (passed() < seconds) {
    now = mutate(pool[random() % pool.size()], random);
    if (now.size() > (std::size_t{1} << 16)) continue;
    run();
    ++runs;
    // Mutations of mutations; the sound ones stay.
    if (pool.size() < sound + 64) {
      pool.push_back(now);
    } else if (random() % 4 == 0) {
      pool[sound + random() % 64] = random() % 8 == 0 ? pool[random() % sound] : now;
    }
  }
  std::printf("{\"test\": \"fuzz_%s\", \"seed\": %llu, \"seconds\": %.1f, \"runs\": %zu}\n",
              kTargetName, static_cast<unsigned long long>(seed), passed(), runs);
}
