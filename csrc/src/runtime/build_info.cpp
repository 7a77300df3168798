#include "zoo/build_info.hpp"

namespace zoo {

#ifdef ZOO_HAVE_CUDA
namespace detail {
int cuda_device_count() noexcept;
}
#endif

BuildInfo build_info() {
  BuildInfo info;
  info.version = ZOO_VERSION;
#if defined(__clang__)
  info.compiler = "clang " __clang_version__;
#elif defined(__GNUC__)
  info.compiler = "gcc " __VERSION__;
#else
  info.compiler = "unknown";
#endif
#ifdef ZOO_HAVE_CUDA
  info.cuda_built = true;
  info.cuda_devices = detail::cuda_device_count();
#endif
  return info;
}

}  // namespace zoo
