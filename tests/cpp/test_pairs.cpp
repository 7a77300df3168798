// Every kernel of bf16 pairs against sums in f64 within the error that the header states, AMX's on
// tiles in software too, so that all of it but the instructions is tested on any machine.
#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

#include "check.hpp"
#include "math/isa/amx_tiles.hpp"
#include "math/kernels.hpp"
#include "random_rows.hpp"

namespace {

using zoo::detail::kPanel;
using zoo::detail::PairKernels;
using zoo::detail::PairProduct;
using zoo_test::random_rows;

// What the processor's tiles do, by Intel's manual: sums of 16 x 16, pairs of 16 x 16.
class SoftwareTiles {
 public:
  SoftwareTiles() { ++held; }
  ~SoftwareTiles() { --held; }
  template <int kTile>
  static void zero() {
    CHECK(held == 1);
    std::memset(tiles[kTile], 0, sizeof tiles[kTile]);
  }
  template <int kTile>
  static void load(const void* from, std::size_t stride) {
    CHECK(held == 1);
    for (std::size_t r = 0; r < 16; ++r) {
      std::memcpy(tiles[kTile][r], static_cast<const char*>(from) + r * stride, 64);
    }
  }
  template <int kTile>
  static void store(void* to, std::size_t stride) {
    for (std::size_t r = 0; r < 16; ++r) {
      std::memcpy(static_cast<char*>(to) + r * stride, tiles[kTile][r], 64);
    }
  }
  template <int kSum, int kA, int kB>
  static void multiply() {
    for (std::size_t m = 0; m < 16; ++m) {
      for (std::size_t k = 0; k < 16; ++k) {
        const std::uint32_t a = tiles[kA][m][k];
        for (std::size_t n = 0; n < 16; ++n) {
          const std::uint32_t b = tiles[kB][k][n];
          auto sum = std::bit_cast<float>(tiles[kSum][m][n]);
          sum += std::bit_cast<float>(a << 16U) * std::bit_cast<float>(b << 16U);
          sum += std::bit_cast<float>(a & 0xFFFF0000U) * std::bit_cast<float>(b & 0xFFFF0000U);
          tiles[kSum][m][n] = std::bit_cast<std::uint32_t>(sum);
        }
      }
    }
  }

 private:
  static inline int held = 0;
  static inline std::uint32_t tiles[8][16][16];
};

const PairKernels kSoftware = {
    [](const PairProduct& product) { zoo::detail::TileProduct<SoftwareTiles>(product).run(); },
    zoo::detail::kPortablePairs.interleave, zoo::detail::kPortablePairs.split, 0.0};

std::uint16_t bf16_of(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return static_cast<std::uint16_t>((bits + 0x7FFFU + ((bits >> 16U) & 1U)) >> 16U);
}

double value_of(std::uint16_t bits) {
  return static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16U));
}

// g (k x d) += r^T x over n rows, as a pass does: x in bf16, r split into terms.
void outer_matches(const PairKernels& kernels, std::size_t n, std::size_t d, std::size_t k,
                   std::size_t terms) {
  const auto values = random_rows<float>(n * d, 1), r = random_rows<float>(n * (k + 3), 2);
  std::vector<std::uint16_t> x;
  for (const float value : values) x.push_back(bf16_of(value));
  std::vector<const std::uint16_t*> rows;
  for (std::size_t i = 0; i < n; ++i) rows.push_back(x.data() + i * d);
  const std::size_t panels = (d + kPanel - 1) / kPanel, pairs = n / 2;
  std::vector<std::uint32_t> b(panels * pairs * kPanel), a(terms * pairs * k);
  kernels.interleave(rows.data(), n, d, b.data());
  kernels.split(r.data(), n, k, k + 3, terms, pairs * k, a.data());
  std::vector<float> g(k * panels * kPanel, 1.0F);
  PairProduct product;
  product.a = a.data();
  product.a_row = 1;
  product.a_pair = k;
  product.a_term = pairs * k;
  product.b = b.data();
  product.rows = k;
  product.panels = panels;
  product.pairs = pairs;
  product.terms = terms;
  product.c = g.data();
  product.ldc = panels * kPanel;
  product.add = true;
  kernels.multiply(product);
  const double rounding = std::exp2(-8.0 * static_cast<double>(terms));
  const double adding = static_cast<double>(2 * pairs * terms + 2) * std::exp2(-24);
  for (std::size_t c = 0; c < k; ++c) {
    for (std::size_t j = 0; j < panels * kPanel; ++j) {
      double sum = 1.0, size = 1.0;
      for (std::size_t i = 0; i < n && j < d; ++i) {
        const double term = static_cast<double>(r[i * (k + 3) + c]) * value_of(x[i * d + j]);
        sum += term;
        size += std::abs(term);
      }
      const double found = static_cast<double>(g[c * panels * kPanel + j]);
      CHECK(std::abs(found - sum) <= (rounding + adding) * size);
    }
  }
}

// out (n x k) = x w^T, w in terms laid out as panels.
void dots_match(const PairKernels& kernels, std::size_t n, std::size_t d, std::size_t k,
                std::size_t terms) {
  const auto values = random_rows<float>(n * d, 3), w = random_rows<float>(k * d, 4);
  std::vector<std::uint16_t> x;
  for (const float value : values) x.push_back(bf16_of(value));
  const std::size_t panels = (k + kPanel - 1) / kPanel, pairs = d / 2;
  std::vector<std::uint32_t> b(terms * panels * pairs * kPanel);
  zoo::detail::pack_columns(w.data(), d, k, d, terms, b.data());
  std::vector<std::uint32_t> a(n * pairs);
  std::memcpy(a.data(), x.data(), x.size() * 2);
  std::vector<float> out(n * panels * kPanel, 7.0F);
  PairProduct product;
  product.a = a.data();
  product.a_row = pairs;
  product.b = b.data();
  product.b_term = panels * pairs * kPanel;
  product.rows = n;
  product.panels = panels;
  product.pairs = pairs;
  product.terms = terms;
  product.c = out.data();
  product.ldc = panels * kPanel;
  kernels.multiply(product);
  const double rounding = std::exp2(-8.0 * static_cast<double>(terms));
  const double adding = static_cast<double>(2 * pairs * terms + 2) * std::exp2(-24);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t c = 0; c < panels * kPanel; ++c) {
      double sum = 0.0, size = 0.0;
      for (std::size_t j = 0; j < d && c < k; ++j) {
        const double term = static_cast<double>(w[c * d + j]) * value_of(x[i * d + j]);
        sum += term;
        size += std::abs(term);
      }
      const double found = static_cast<double>(out[i * panels * kPanel + c]);
      CHECK(std::abs(found - sum) <= (rounding + adding) * size);
    }
  }
}

}  // namespace

int main() {
  std::vector<std::pair<const char*, const PairKernels*>> all = {
      {"portable", &zoo::detail::kPortablePairs}, {"software tiles", &kSoftware}};
  for (const char* name : {"avx512bf16", "amx", "neonbf16"}) {
    const zoo::detail::Kernels* table = zoo::detail::kernels_named(name);
    if (table != nullptr) all.emplace_back(name, &table->pairs);
  }
  for (const auto& [name, kernels] : all) {
    check_case = name;
    for (const std::size_t terms : {1, 2, 3}) {
      for (const std::size_t n : {32, 64}) {
        for (const std::size_t d : {1, 16, 40, 112}) {
          for (const std::size_t k : {1, 2, 5, 16, 17, 35}) outer_matches(*kernels, n, d, k, terms);
        }
      }
      for (const std::size_t n : {1, 7, 16, 33, 64}) {
        for (const std::size_t d : {32, 96, 160}) {
          for (const std::size_t k : {1, 16, 20, 50, 80}) dots_match(*kernels, n, d, k, terms);
        }
      }
    }
  }
  return 0;
}
