// CHECK(condition) prints what failed and counts it; end main with `return zoo_test::failures();`.
#pragma once

#include <cstdio>

namespace zoo_test {

inline int& failures() {
  static int count = 0;
  return count;
}

}  // namespace zoo_test

#define CHECK(condition)                                                   \
  do {                                                                     \
    if (!(condition)) {                                                    \
      std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
      ++zoo_test::failures();                                              \
    }                                                                      \
  } while (false)

#define CHECK_THROWS(expression, error)             \
  do {                                              \
    bool thrown = false;                            \
    try {                                           \
      (void)(expression);                           \
    } catch (const error&) {                        \
      thrown = true;                                \
    }                                               \
    CHECK(thrown && #expression " throws " #error); \
  } while (false)
