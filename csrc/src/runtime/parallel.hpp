// Runs independent tasks on a bounded number of threads that end with the call.
#pragma once

#include <cstddef>
#include <functional>

#include "zoo/context.hpp"

namespace zoo {

// Calls body(0) ... body(count - 1), each once, on at most context.threads threads. Which thread
// runs which task is not fixed, so a body writes to its own task's place alone. The calling thread
// works too and polls between its tasks; after an exception no new task starts, all threads are
// joined and the first exception (by task number) is thrown.
void parallel_for(const Context& context, std::size_t count,
                  const std::function<void(std::size_t)>& body);

}  // namespace zoo
