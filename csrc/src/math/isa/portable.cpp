// The products for any processor: 128-bit vectors where the baseline has them.
#define ZOO_VECTOR_BYTES 16
#define ZOO_TILE_ROWS 3
#define ZOO_TILE_COLS 4
#define ZOO_TILE_VECTORS 3
#include "math/isa/tile.hpp"

namespace zoo::detail {

const Kernels kPortableKernels = {
    "portable", {&dots<float>, &outer<float>}, {&dots<double>, &outer<double>}};

}  // namespace zoo::detail
