// Fetching memory into cache by the way, where the compiler can say so.
#pragma once

#include <cstddef>

#include "math/pairs.hpp"

namespace zoo::detail {
namespace {

// Fetches part `part` of `parts` of the rows ahead. GCC drops calls of a function
// that does nothing but prefetch, so it has to be inlined before GCC finds that out.
#if defined(__GNUC__)
[[gnu::always_inline]] inline void fetch(const RowsAhead& ahead, std::size_t part,
                                         std::size_t parts) {
  constexpr std::size_t kLine = 64;
  const std::size_t lines = (ahead.bytes + kLine - 1) / kLine, all = ahead.count * lines;
  for (std::size_t i = all * part / parts; i < all * (part + 1) / parts; ++i) {
    __builtin_prefetch(ahead.rows[i / lines] + i % lines * kLine, 0, 2);
  }
}
#else
inline void fetch(const RowsAhead&, std::size_t, std::size_t) {}
#endif

}  // namespace
}  // namespace zoo::detail
