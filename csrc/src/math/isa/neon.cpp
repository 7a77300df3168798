// The products with NEON; 20 of 32 registers are sums.
#define ZOO_VECTOR_BYTES 16
#define ZOO_TILE_ROWS 4
#define ZOO_TILE_COLS 5
#define ZOO_TILE_VECTORS 4
#include "math/isa/rowwise.hpp"
#include "math/isa/tile.hpp"
#include "math/isa/widen.hpp"

namespace zoo::detail {

const Kernels kNeonKernels = {"neon",
                              {&dots<float>, &outer<float>},
                              {&dots<double>, &outer<double>},
                              {&losses<float, KeptBits>},
                              {&losses<double, KeptBits>},
                              {&losses<double, double>},
                              {&curve<float, KeptBits>},
                              {&curve<float, KeptBits, true>},
                              {&curve<double, double>},
                              {&moments<float>},
                              {&moments<double>},
                              {&widen_f16, &widen_bf16, &widen_i8},
                              {}};

}  // namespace zoo::detail
