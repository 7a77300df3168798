// What this build of the core contains and what this machine can run of it.
#pragma once

#include <string>

namespace zoo {

struct BuildInfo {
  std::string version;
  std::string compiler;
  bool cuda_built = false;
  int cuda_devices = 0;  // 0 where no driver or no GPU is
};

BuildInfo build_info();

}  // namespace zoo
