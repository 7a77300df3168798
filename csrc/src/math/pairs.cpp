#include "math/pairs.hpp"

#include <algorithm>
#include <bit>

#include "math/kept.hpp"

namespace zoo::detail {

void pack_columns(const float* from, std::size_t d, std::size_t k, std::size_t stride,
                  std::size_t terms, std::uint32_t* to) {
  const std::size_t panels = panels_of(k), pairs = pairs_of(d), term = panels * pairs * kPanel;
  std::fill_n(to, terms * term, 0U);
  for (std::size_t c = 0; c < k; ++c) {
    const float* column = from + c * stride;
    std::uint32_t* out = to + c / kPanel * pairs * kPanel + c % kPanel;
    for (std::size_t j = 0; j < d; ++j) {
      float rest = column[j];
      for (std::size_t t = 0; t < terms; ++t) {
        const std::uint32_t rounded = upper_bf16(rest);
        out[t * term + j / 2 * kPanel] |= j % 2 == 0 ? rounded >> 16U : rounded;
        rest -= std::bit_cast<float>(rounded);
      }
    }
  }
}

}  // namespace zoo::detail
