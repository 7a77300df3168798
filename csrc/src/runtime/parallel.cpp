#include "runtime/parallel.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <limits>
#include <mutex>
#include <thread>
#include <vector>

namespace zoo {

void parallel_for(const Context& context, std::size_t count,
                  const std::function<void(std::size_t)>& body) {
  const std::size_t threads =
      std::min(count, static_cast<std::size_t>(std::max(1, context.threads)));
  std::atomic<std::size_t> next{0};
  std::atomic<bool> stop{false};
  std::mutex mutex;
  std::exception_ptr error;
  std::size_t error_task = std::numeric_limits<std::size_t>::max();

  const auto work = [&](bool polls) {
    while (!stop.load(std::memory_order_relaxed)) {
      const std::size_t task = next.fetch_add(1, std::memory_order_relaxed);
      if (task >= count) return;
      try {
        if (polls) context.check();
        body(task);
      } catch (...) {
        const std::scoped_lock lock(mutex);
        if (task < error_task) {
          error_task = task;
          error = std::current_exception();
        }
        stop.store(true, std::memory_order_relaxed);
      }
    }
  };

  std::vector<std::jthread> helpers;
  helpers.reserve(threads);
  for (std::size_t i = 1; i < threads; ++i) helpers.emplace_back(work, false);
  work(true);
  helpers.clear();  // joins
  if (error) std::rethrow_exception(error);
}

}  // namespace zoo
