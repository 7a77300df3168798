// Checks for the C++ tests: a failed one prints its place and ends the program with status 1.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>

#include "zoo/error.hpp"

// Which of many cases is under test, for the line that a failed check prints.
inline std::string check_case;

#define CHECK(condition)                                                                   \
  do {                                                                                     \
    if (!(condition)) {                                                                    \
      std::fprintf(stderr, "%s:%d: CHECK(%s) failed %s\n", __FILE__, __LINE__, #condition, \
                   check_case.c_str());                                                    \
      std::exit(1);                                                                        \
    }                                                                                      \
  } while (false)

// Runs the statement, insists on an Error of the kind, and gives its text.
#define CHECK_THROWS(statement, expected)                                              \
  [&]() -> std::string {                                                               \
    try {                                                                              \
      (void)(statement);                                                               \
    } catch (const zoo::Error& error) {                                                \
      if (error.kind() == (expected)) return error.what();                             \
      std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, error.what());           \
      std::exit(1);                                                                    \
    }                                                                                  \
    std::fprintf(stderr, "%s:%d: %s did not throw\n", __FILE__, __LINE__, #statement); \
    std::exit(1);                                                                      \
  }()
