// Which instruction set the kernels use on this machine.
#pragma once

namespace zoo {

// "portable", "avx2" or "avx512": the widest that the processor runs. The environment variable
// ZOO_ISA names another one, read once; throws Error(kUnavailable) where that one can't run here.
const char* isa_name();

}  // namespace zoo
