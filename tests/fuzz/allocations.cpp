#include "allocations.hpp"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::size_t> most{0};

void* allocate(std::size_t bytes) {
  const std::size_t limit = most.load(std::memory_order_relaxed);
  if (limit > 0 && bytes > limit) {
    std::fprintf(stderr, "an allocation of %zu bytes, where at most %zu are due\n", bytes, limit);
    std::abort();
  }
  void* memory = std::malloc(bytes == 0 ? 1 : bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

void limit_allocations(std::size_t bytes) noexcept { most = bytes; }

void* operator new(std::size_t bytes) { return allocate(bytes); }
void* operator new[](std::size_t bytes) { return allocate(bytes); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t /*bytes*/) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t /*bytes*/) noexcept { std::free(memory); }
