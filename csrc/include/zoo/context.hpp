// What a public function needs beside its data: how many threads, and whether to stop.
#pragma once

#include <functional>

namespace zoo {

struct Context {
  // Upper bound on threads, the caller's included. Results never depend on it.
  int threads = 1;
  // Called now and then, from the calling thread alone; it throws to stop the work. May be empty.
  std::function<void()> poll;

  void check() const {
    if (poll) poll();
  }
};

}  // namespace zoo
