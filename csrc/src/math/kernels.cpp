#include "math/kernels.hpp"

#include <cstdlib>
#include <string>
#include <string_view>

#include "zoo/error.hpp"
#include "zoo/isa.hpp"

namespace zoo {
namespace detail {

const Kernels* kernels_named(const char* name) noexcept {
  const std::string_view wanted(name);
  if (wanted == kPortableKernels.name) return &kPortableKernels;
#ifdef ZOO_HAVE_X86_ISA
  // The compiler's probe also asks the operating system whether it saves the wide registers.
  if (wanted == kAvx2Kernels.name && __builtin_cpu_supports("avx2") &&
      __builtin_cpu_supports("fma")) {
    return &kAvx2Kernels;
  }
  if (wanted == kAvx512Kernels.name && __builtin_cpu_supports("avx512f") &&
      __builtin_cpu_supports("avx512dq")) {
    return &kAvx512Kernels;
  }
#endif
  return nullptr;
}

namespace {

const Kernels& probe() {
  if (const char* forced = std::getenv("ZOO_ISA"); forced != nullptr && *forced != '\0') {
    if (const Kernels* found = kernels_named(forced)) return *found;
    throw Error(ErrorKind::kUnavailable,
                "ZOO_ISA=" + std::string(forced) + " can't run here (portable, avx2, avx512)");
  }
  for (const char* name : {"avx512", "avx2"}) {
    if (const Kernels* found = kernels_named(name)) return *found;
  }
  return kPortableKernels;
}

}  // namespace

const Kernels& kernels() {
  static const Kernels& found = probe();
  return found;
}

}  // namespace detail

const char* isa_name() { return detail::kernels().name; }

}  // namespace zoo
