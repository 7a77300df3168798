// Times one pass of the logistic solver over rows in memory, for bench_passes.py: seconds of each
// round, best first. Built with -DZOO_BENCHMARKS=ON.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <random>
#include <vector>

#include "heads/logistic/passes.hpp"
#include "zoo/isa.hpp"

namespace {

using Request = zoo::detail::PassRequest<float>;

double seconds_of(const zoo::Context& context, const zoo::detail::LogisticRows& rows,
                  Request& request) {
  const auto start = std::chrono::steady_clock::now();
  zoo::detail::run_pass<float>(context, rows, {&request});
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

// pass_rates ROWS COLUMNS CLASSES THREADS ROUNDS bf16|f32
int main(int count, char** words) {
  if (count != 7) return 2;
  const auto number = [&](int i) { return static_cast<std::size_t>(std::atoll(words[i])); };
  const std::size_t n = number(1), d = number(2), k = number(3), rounds = number(5);
  const bool narrow = std::strcmp(words[6], "bf16") == 0;
  std::mt19937 engine(0);
  std::vector<std::uint16_t> bits(n * d);
  for (std::uint16_t& value : bits) {  // +-[1, 2) and +-[0.5, 1)
    value = static_cast<std::uint16_t>(0x3F00U + (engine() & 0x80FFU));
  }
  std::vector<float> wide(narrow ? 0 : n * d);
  for (std::size_t i = 0; i < wide.size(); ++i) {
    const std::uint32_t upper = static_cast<std::uint32_t>(bits[i]) << 16U;
    std::memcpy(&wide[i], &upper, sizeof upper);
  }
  const zoo::MemoryRows source = narrow ? zoo::MemoryRows(bits.data(), zoo::RowType::kBF16, n, d)
                                        : zoo::MemoryRows(wide.data(), zoo::RowType::kF32, n, d);
  std::vector<std::int64_t> codes(n);
  for (std::int64_t& code : codes) code = static_cast<std::int64_t>(engine() % k);
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  zoo::Context context;
  context.threads = static_cast<int>(number(4));
  const auto rows = zoo::detail::logistic_rows(context, source, order, nullptr, {});
  const auto task = zoo::detail::logistic_task(order, codes.data(), k, nullptr, true);
  std::vector<double> at(task->size(d));
  for (double& value : at) value = static_cast<double>(engine()) / 4294967296.0 * 0.01;
  std::vector<zoo::detail::KeptBits> probabilities;
  Request request;
  request.task = &*task;
  request.at = &at;
  request.probabilities = &probabilities;
  std::printf("{\"isa\": \"%s\"", zoo::isa_name());
  for (const bool curve : {false, true}) {
    request.kind = curve ? Request::Kind::kCurve : Request::Kind::kLoss;
    request.rough = curve;
    std::vector<double> found;
    for (std::size_t r = 0; r < rounds + 1; ++r) {
      const double seconds = seconds_of(context, rows, request);
      if (r > 0) found.push_back(seconds);
    }
    std::sort(found.begin(), found.end());
    std::printf(", \"%s\": [", curve ? "curve" : "loss");
    for (std::size_t r = 0; r < found.size(); ++r) std::printf("%s%.6f", r ? ", " : "", found[r]);
    std::printf("]");
  }
  std::printf("}\n");
  return 0;
}
