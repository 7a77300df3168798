// A limit on the size of a single allocation, over the whole program.
#pragma once

#include <cstddef>

// From now on a larger allocation ends the program; 0 allows any.
void limit_allocations(std::size_t bytes) noexcept;

// Allows any allocation again where its scope ends.
class AllocationLimit {
 public:
  explicit AllocationLimit(std::size_t bytes) noexcept { limit_allocations(bytes); }
  ~AllocationLimit() { limit_allocations(0); }
  AllocationLimit(const AllocationLimit&) = delete;
  AllocationLimit& operator=(const AllocationLimit&) = delete;
};
