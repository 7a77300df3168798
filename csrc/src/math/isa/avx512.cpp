// The products with AVX-512F; 24 of 32 registers are sums.
#define ZOO_VECTOR_BYTES 64
#define ZOO_TILE_ROWS 4
#define ZOO_TILE_COLS 6
#define ZOO_TILE_VECTORS 4
#include "math/isa/rowwise.hpp"
#include "math/isa/tile.hpp"
#include "math/isa/widen.hpp"

namespace zoo::detail {

const Kernels kAvx512Kernels = {"avx512",
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
