// Memory from the system in large pages, for tables that are read at random.
#pragma once

#include <cstddef>

namespace zoo {

// Aligned to 2 MiB, not zeroed, in large pages where the system gives them. Throws std::bad_alloc.
[[nodiscard]] void* allocate_large(std::size_t bytes);
void free_large(void* memory) noexcept;

}  // namespace zoo
