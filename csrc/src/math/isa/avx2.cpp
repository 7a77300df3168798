// The products with AVX2 and FMA; 12 of 16 registers are sums.
#define ZOO_VECTOR_BYTES 32
#define ZOO_TILE_ROWS 3
#define ZOO_TILE_COLS 4
#define ZOO_TILE_VECTORS 3
#include "math/isa/rowwise.hpp"
#include "math/isa/tile.hpp"
#include "math/isa/widen.hpp"

namespace zoo::detail {

const Kernels kAvx2Kernels = {"avx2",
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
