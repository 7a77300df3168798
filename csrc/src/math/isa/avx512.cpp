// The products with AVX-512F; 20 of 32 registers are sums.
#define ZOO_VECTOR_BYTES 64
#define ZOO_TILE_ROWS 4
#define ZOO_TILE_COLS 5
#define ZOO_TILE_VECTORS 4
#include "math/isa/tile.hpp"

namespace zoo::detail {

const Kernels kAvx512Kernels = {
    "avx512", {&dots<float>, &outer<float>}, {&dots<double>, &outer<double>}};

}  // namespace zoo::detail
