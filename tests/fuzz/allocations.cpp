#include "allocations.hpp"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <new>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ZOO_ASAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define ZOO_ASAN 1
#endif

namespace {

std::atomic<std::size_t> most{0};

void check(std::size_t bytes) {
  const std::size_t limit = most.load(std::memory_order_relaxed);
  if (limit == 0 || bytes <= limit) return;
  most = 0;
  std::fprintf(stderr, "an allocation of %zu bytes, where at most %zu are due\n", bytes, limit);
  std::abort();
}

}  // namespace

void limit_allocations(std::size_t bytes) noexcept { most = bytes; }

#ifdef ZOO_ASAN  // has its own operators, and finds more with them than without

// Of sanitizer/allocator_interface.h, which not every GCC comes with.
extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void*,
                                                                           std::size_t),
                                                         void (*on_free)(const volatile void*));

namespace {

void on_malloc(const volatile void* /*memory*/, std::size_t bytes) { check(bytes); }
void on_free(const volatile void* /*memory*/) {}

[[maybe_unused]] const int hooked = __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);

}  // namespace

#else

void* operator new(std::size_t bytes) {
  check(bytes);
  void* memory = std::malloc(bytes == 0 ? 1 : bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void* operator new[](std::size_t bytes) { return operator new(bytes); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t /*bytes*/) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t /*bytes*/) noexcept { std::free(memory); }

#endif
