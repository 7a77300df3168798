// Stored rows widened by every instruction set, and read by any number, against their definitions.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "check.hpp"
#include "math/kernels.hpp"
#include "memory_vfs.hpp"
#include "random_rows.hpp"
#include "rows/row_reader.hpp"
#include "store_rows.hpp"
#include "zoo/error.hpp"

namespace {

using zoo::RowType;

// IEEE 754 binary16 by its definition.
float half(std::uint16_t bits) {
  const int exponent = bits >> 10 & 31, fraction = bits & 1023;
  const float sign = (bits & 0x8000) != 0 ? -1.0F : 1.0F;
  if (exponent == 31) {
    return fraction != 0 ? std::numeric_limits<float>::quiet_NaN()
                         : sign * std::numeric_limits<float>::infinity();
  }
  if (exponent == 0) return sign * std::ldexp(static_cast<float>(fraction), -24);
  return sign * std::ldexp(static_cast<float>(1024 + fraction), exponent - 25);
}

bool same(float a, float b) {
  return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b) ||
         (std::isnan(a) && std::isnan(b));
}

void every_narrow_value_widens_exactly() {
  std::vector<std::uint16_t> bits(65536);
  for (std::size_t i = 0; i < bits.size(); ++i) bits[i] = static_cast<std::uint16_t>(i);
  std::vector<std::int8_t> small(256);
  for (std::size_t i = 0; i < small.size(); ++i) {
    small[i] = static_cast<std::int8_t>(static_cast<int>(i) - 128);
  }
  for (const char* name : {"portable", "avx2", "avx512", "neon"}) {
    const zoo::detail::Kernels* kernels = zoo::detail::kernels_named(name);
    if (kernels == nullptr) continue;
    check_case = name;
    std::vector<float> out(bits.size());
    kernels->widen.f16(bits.data(), bits.size(), out.data());
    for (std::size_t i = 0; i < bits.size(); ++i) CHECK(same(out[i], half(bits[i])));
    kernels->widen.bf16(bits.data(), bits.size(), out.data());
    for (std::size_t i = 0; i < bits.size(); ++i) {
      CHECK(same(out[i], std::bit_cast<float>(static_cast<std::uint32_t>(bits[i]) << 16)));
    }
    kernels->widen.i8(small.data(), 0.3F, small.size(), out.data());
    for (std::size_t i = 0; i < small.size(); ++i) {
      CHECK(same(out[i], static_cast<float>(small[i]) * 0.3F));
    }
  }
  check_case.clear();
}

template <typename A>
void readers_give_the_rows_asked_for() {
  constexpr std::size_t n = 3000, d = 5;  // more than a block
  const auto x = zoo_test::random_rows<A>(n * d);
  const zoo::MemoryRows source(zoo::MatrixView<A>{x.data(), n, d, d});
  std::vector<std::size_t> numbers;
  for (std::size_t i = 0; i < 2 * n; ++i) numbers.push_back(i * 7 % n);
  zoo::detail::RowReader<A> as_is(source, numbers);
  zoo::detail::RowReader<double> wide(source, numbers);
  CHECK(as_is.ahead(0, 1) == nullptr);  // nothing has been read yet
  for (std::size_t i = 0; i + 3 <= numbers.size(); i += 3) {
    const A* const* rows = as_is.rows(i, 3);
    const double* const* doubles = wide.rows(i, 3);
    for (std::size_t t = 0; t < 3; ++t) {
      CHECK(rows[t] == x.data() + numbers[i + t] * d);  // no copy
      CHECK(doubles[t][4] == static_cast<double>(x[numbers[i + t] * d + 4]));
    }
  }
  CHECK(as_is.rows(0, 2)[1] == x.data() + numbers[1] * d);  // back again
  CHECK(as_is.ahead(2, 1)[0] == x.data() + numbers[2] * d);
}

void the_next_block_is_asked_for_while_one_is_worked_on() {
  constexpr std::size_t n = 3000, d = 300;
  MemoryDisk disk;
  MemoryVfs vfs(disk);
  zoo::StoreOptions options;
  options.vfs = &vfs;
  zoo::Store store("/store", options);
  append_rows(store, 0, n, d);
  store.flush({});
  const auto asked = [&](std::vector<zoo::RowKey> keys) {
    const zoo::StoreRows source(store, "x", std::move(keys));
    std::vector<std::size_t> numbers(n);
    std::iota(numbers.begin(), numbers.end(), std::size_t{0});
    zoo::detail::RowReader<float> reader(source, numbers);
    const std::size_t before = vfs.needed().size(), block = source.block_rows();
    CHECK(2 * block < n && n < 4 * block);
    std::vector<std::uint64_t> bytes;
    for (std::size_t i = 0; i + 8 <= n; i += 8) CHECK(reader.rows(i, 8)[7] != nullptr);
    for (std::size_t i = before; i < vfs.needed().size(); ++i) {
      bytes.push_back(vfs.needed()[i].second / (d * sizeof(float)));
    }
    return bytes;
  };
  const std::vector<zoo::RowKey> forwards = keys_of(0, n);
  const std::vector<std::uint64_t> wanted = asked(forwards);
  CHECK(!wanted.empty());
  std::uint64_t total = 0;
  for (const std::uint64_t rows : wanted) total += rows;
  const zoo::StoreRows source(store, "x", forwards);
  CHECK(total >= n - source.block_rows());  // all but the first block, and hardly more
  CHECK(total <= n + 64);
  CHECK(asked({forwards.rbegin(), forwards.rend()}).empty());  // no order of the file
}

void scales_belong_to_int8_alone() {
  const std::vector<std::int8_t> x(4);
  const float scale = 1.0F;
  CHECK_THROWS(zoo::MemoryRows(x.data(), RowType::kI8, 2, 2), zoo::ErrorKind::kInvalid);
  CHECK_THROWS(zoo::MemoryRows(x.data(), RowType::kF16, 1, 2, &scale), zoo::ErrorKind::kInvalid);
}

void the_first_row_that_is_not_finite_is_named() {
  std::vector<float> x(9000 * 3, 1.0F);
  const zoo::MemoryRows source(zoo::MatrixView<float>{x.data(), 9000, 3, 3});
  zoo::Context context;
  context.threads = 4;
  zoo::detail::require_finite(context, source);
  x[8999 * 3] = std::numeric_limits<float>::infinity();
  x[5000 * 3 + 2] = std::numeric_limits<float>::quiet_NaN();
  const std::string text =
      CHECK_THROWS((zoo::detail::require_finite(context, source), 0), zoo::ErrorKind::kInvalid);
  CHECK(text.find("row 5000 ") != std::string::npos);
}

}  // namespace

int main() {
  every_narrow_value_widens_exactly();
  readers_give_the_rows_asked_for<float>();
  readers_give_the_rows_asked_for<double>();
  scales_belong_to_int8_alone();
  the_next_block_is_asked_for_while_one_is_worked_on();
  the_first_row_that_is_not_finite_is_named();
}
