// The products with AVX2 and FMA; 12 of 16 registers are sums.
#define ZOO_VECTOR_BYTES 32
#define ZOO_TILE_ROWS 3
#define ZOO_TILE_COLS 4
#define ZOO_TILE_VECTORS 3
#include "math/isa/tile.hpp"

namespace zoo::detail {

const Kernels kAvx2Kernels = {
    "avx2", {&dots<float>, &outer<float>}, {&dots<double>, &outer<double>}};

}  // namespace zoo::detail
