// The one source of the products, compiled per instruction set: define ZOO_VECTOR_BYTES and the
// register tile, include this once, and name the table. All of it has internal linkage, so that no
// wide instruction reaches another file through the linker.
#pragma once

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "math/kernels.hpp"

namespace zoo::detail {
namespace {

#if defined(__GNUC__)
template <typename T>
struct VectorOf {
  typedef T type __attribute__((vector_size(ZOO_VECTOR_BYTES)));
};
template <typename T>
using Vector = typename VectorOf<T>::type;

template <typename T>
inline Vector<T> load(const T* from) {
  Vector<T> v;
  __builtin_memcpy(&v, from, sizeof v);
  return v;
}

template <typename T>
inline void store(T* to, const Vector<T>& v) {
  __builtin_memcpy(to, &v, sizeof v);
}
#else
template <typename T>
struct Vector {
  T lane[ZOO_VECTOR_BYTES / sizeof(T)] = {};
  T& operator[](std::size_t i) { return lane[i]; }
  T operator[](std::size_t i) const { return lane[i]; }
};
template <typename T>
inline Vector<T> operator+(Vector<T> a, const Vector<T>& b) {
  for (std::size_t i = 0; i < sizeof a / sizeof(T); ++i) a.lane[i] += b.lane[i];
  return a;
}
template <typename T>
inline Vector<T> operator*(Vector<T> a, const Vector<T>& b) {
  for (std::size_t i = 0; i < sizeof a / sizeof(T); ++i) a.lane[i] *= b.lane[i];
  return a;
}
template <typename T>
inline Vector<T> operator*(Vector<T> a, T b) {
  for (std::size_t i = 0; i < sizeof a / sizeof(T); ++i) a.lane[i] *= b;
  return a;
}
template <typename T>
inline Vector<T> load(const T* from) {
  Vector<T> v;
  for (std::size_t i = 0; i < sizeof v / sizeof(T); ++i) v.lane[i] = from[i];
  return v;
}
template <typename T>
inline void store(T* to, const Vector<T>& v) {
  for (std::size_t i = 0; i < sizeof v / sizeof(T); ++i) to[i] = v.lane[i];
}
#endif

template <typename T>
constexpr std::size_t kLanes = ZOO_VECTOR_BYTES / sizeof(T);

// The first `count` lanes, fewer than all; the others are zero, and left alone in memory.
#if defined(__AVX512F__)
inline Vector<float> load_part(const float* from, std::size_t count) {
  return std::bit_cast<Vector<float>>(
      _mm512_maskz_loadu_ps(static_cast<__mmask16>((1U << count) - 1U), from));
}
inline Vector<double> load_part(const double* from, std::size_t count) {
  return std::bit_cast<Vector<double>>(
      _mm512_maskz_loadu_pd(static_cast<__mmask8>((1U << count) - 1U), from));
}
inline void store_part(float* to, const Vector<float>& v, std::size_t count) {
  _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1U << count) - 1U), std::bit_cast<__m512>(v));
}
inline void store_part(double* to, const Vector<double>& v, std::size_t count) {
  _mm512_mask_storeu_pd(to, static_cast<__mmask8>((1U << count) - 1U), std::bit_cast<__m512d>(v));
}
#elif defined(__AVX2__)
constexpr std::int32_t kMask[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
constexpr std::int64_t kWideMask[8] = {-1, -1, -1, -1, 0, 0, 0, 0};
inline __m256i mask_of(const float*, std::size_t count) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kMask + 8 - count));
}
inline __m256i mask_of(const double*, std::size_t count) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kWideMask + 4 - count));
}
inline Vector<float> load_part(const float* from, std::size_t count) {
  return std::bit_cast<Vector<float>>(_mm256_maskload_ps(from, mask_of(from, count)));
}
inline Vector<double> load_part(const double* from, std::size_t count) {
  return std::bit_cast<Vector<double>>(_mm256_maskload_pd(from, mask_of(from, count)));
}
inline void store_part(float* to, const Vector<float>& v, std::size_t count) {
  _mm256_maskstore_ps(to, mask_of(to, count), std::bit_cast<__m256>(v));
}
inline void store_part(double* to, const Vector<double>& v, std::size_t count) {
  _mm256_maskstore_pd(to, mask_of(to, count), std::bit_cast<__m256d>(v));
}
#else
template <typename T>
inline Vector<T> load_part(const T* from, std::size_t count) {
  Vector<T> v{};
  for (std::size_t i = 0; i < count; ++i) v[i] = from[i];
  return v;
}
template <typename T>
inline void store_part(T* to, const Vector<T>& v, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) to[i] = v[i];
}
#endif

// Lane sums of `count` vectors, out[i] that of v[i]: in each, halves first, a tree of fixed shape.
#if defined(__GNUC__) && __has_builtin(__builtin_shufflevector)
// Of two vectors that hold kParts sums in chunks each: every chunk's halves added, a's then b's.
template <typename T, std::size_t kParts, std::size_t... kLane>
inline Vector<T> fold(const Vector<T>& a, const Vector<T>& b, std::index_sequence<kLane...>) {
  constexpr std::size_t kChunk = kLanes<T> / kParts, kHalf = kChunk / 2;
  constexpr auto from = [](std::size_t lane) {
    const std::size_t part = lane / kHalf;
    return (part < kParts ? part : kLanes<T> / kChunk + part - kParts) * kChunk + lane % kHalf;
  };
  return __builtin_shufflevector(a, b, static_cast<int>(from(kLane))...) +
         __builtin_shufflevector(a, b, static_cast<int>(from(kLane) + kHalf)...);
}

template <typename T, std::size_t kCount, std::size_t kParts = 1>
inline void fold_all(const Vector<T>* v, std::size_t wanted, T* out) {
  if constexpr (kParts == kLanes<T>) {
    T part[kLanes<T>];
    store(part, v[0]);
    for (std::size_t i = 0; i < wanted; ++i) out[i] = part[i];
  } else {
    constexpr std::size_t kNext = (kCount + 1) / 2;
    Vector<T> next[kNext];
    for (std::size_t i = 0; i < kNext; ++i) {
      next[i] = fold<T, kParts>(v[2 * i], v[2 * i + 1 < kCount ? 2 * i + 1 : 2 * i],
                                std::make_index_sequence<kLanes<T>>{});
    }
    fold_all<T, kNext, 2 * kParts>(next, wanted, out);
  }
}

template <typename T, std::size_t kCount>
inline void lane_sums(const Vector<T>* v, T* out) {
  if constexpr (kCount <= kLanes<T>) {
    fold_all<T, kCount>(v, kCount, out);
  } else {
    fold_all<T, kLanes<T>>(v, kLanes<T>, out);
    lane_sums<T, kCount - kLanes<T>>(v + kLanes<T>, out + kLanes<T>);
  }
}
#else
template <typename T, std::size_t kCount>
inline void lane_sums(const Vector<T>* v, T* out) {
  for (std::size_t n = 0; n < kCount; ++n) {
    T part[kLanes<T>];
    store(part, v[n]);
    for (std::size_t width = kLanes<T> / 2; width > 0; width /= 2) {
      for (std::size_t i = 0; i < width; ++i) part[i] += part[i + width];
    }
    out[n] = part[0];
  }
}
#endif

template <typename T, int kRows, int kCols>
void dots_tile(const T* const* x, std::size_t d, const T* w, std::size_t ldw, T* out,
               std::size_t ldo) {
  Vector<T> sum[kRows][kCols] = {};
  std::size_t j = 0;
  for (; j + kLanes<T> <= d; j += kLanes<T>) {
    Vector<T> wv[kCols];
    for (int c = 0; c < kCols; ++c) wv[c] = load(w + static_cast<std::size_t>(c) * ldw + j);
    for (int i = 0; i < kRows; ++i) {
      const Vector<T> xv = load(x[i] + j);
      for (int c = 0; c < kCols; ++c) sum[i][c] = sum[i][c] + xv * wv[c];
    }
  }
  if (j < d) {
    for (int i = 0; i < kRows; ++i) {
      const Vector<T> xv = load_part(x[i] + j, d - j);
      for (int c = 0; c < kCols; ++c) {
        const Vector<T> wv = load_part(w + static_cast<std::size_t>(c) * ldw + j, d - j);
        sum[i][c] = sum[i][c] + xv * wv;
      }
    }
  }
  T sums[kRows * kCols];
  lane_sums<T, static_cast<std::size_t>(kRows) * kCols>(&sum[0][0], sums);
  for (int i = 0; i < kRows; ++i) {
    for (int c = 0; c < kCols; ++c) {
      out[static_cast<std::size_t>(i) * ldo + static_cast<std::size_t>(c)] = sums[i * kCols + c];
    }
  }
}

template <typename T, int kCols, int kVectors>
void outer_tile(const T* const* x, std::size_t m, std::size_t j, const T* r, std::size_t ldr, T* g,
                std::size_t ldg, const T* const* next) {
  Vector<T> sum[kCols][kVectors] = {};
  for (std::size_t i = 0; i < m; ++i) {
#if defined(__GNUC__)
    if (next != nullptr) {
      for (int v = 0; v < kVectors; ++v) {
        __builtin_prefetch(next[i] + j + static_cast<std::size_t>(v) * kLanes<T>, 0, 2);
      }
    }
#endif
    Vector<T> xv[kVectors];
    for (int v = 0; v < kVectors; ++v) {
      xv[v] = load(x[i] + j + static_cast<std::size_t>(v) * kLanes<T>);
    }
    for (int c = 0; c < kCols; ++c) {
      const T factor = r[i * ldr + static_cast<std::size_t>(c)];
      for (int v = 0; v < kVectors; ++v) sum[c][v] = sum[c][v] + xv[v] * factor;
    }
  }
  for (int c = 0; c < kCols; ++c) {
    for (int v = 0; v < kVectors; ++v) {
      T* to = g + static_cast<std::size_t>(c) * ldg + j + static_cast<std::size_t>(v) * kLanes<T>;
      store<T>(to, load(to) + sum[c][v]);
    }
  }
}

template <typename T, int kCols>
void outer_tail(const T* const* x, std::size_t m, std::size_t j, std::size_t count, const T* r,
                std::size_t ldr, T* g, std::size_t ldg) {
  Vector<T> sum[kCols] = {};
  for (std::size_t i = 0; i < m; ++i) {
    const Vector<T> xv = load_part(x[i] + j, count);
    for (int c = 0; c < kCols; ++c) {
      sum[c] = sum[c] + xv * r[i * ldr + static_cast<std::size_t>(c)];
    }
  }
  for (int c = 0; c < kCols; ++c) {
    T* to = g + static_cast<std::size_t>(c) * ldg + j;
    store_part(to, load_part(to, count) + sum[c], count);
  }
}

template <typename T, int kCols>
void dots_columns(const T* const* x, std::size_t m, std::size_t d, const T* w, std::size_t ldw,
                  T* out, std::size_t ldo) {
  std::size_t i = 0;
  for (; i + ZOO_TILE_ROWS <= m; i += ZOO_TILE_ROWS) {
    dots_tile<T, ZOO_TILE_ROWS, kCols>(x + i, d, w, ldw, out + i * ldo, ldo);
  }
  for (; i < m; ++i) dots_tile<T, 1, kCols>(x + i, d, w, ldw, out + i * ldo, ldo);
}

template <typename T, int kCols>
void outer_columns(const T* const* x, std::size_t m, std::size_t d, const T* r, std::size_t ldr,
                   T* g, std::size_t ldg, const T* const* next) {
  constexpr std::size_t kWide = ZOO_TILE_VECTORS * kLanes<T>;
  std::size_t j = 0;
  for (; j + kWide <= d; j += kWide) {
    outer_tile<T, kCols, ZOO_TILE_VECTORS>(x, m, j, r, ldr, g, ldg, next);
  }
  for (; j + kLanes<T> <= d; j += kLanes<T>) outer_tile<T, kCols, 1>(x, m, j, r, ldr, g, ldg, next);
  if (j < d) outer_tail<T, kCols>(x, m, j, d - j, r, ldr, g, ldg);
}

// Calls step(c, std::integral-like width) over k columns in nearly equal blocks of at most
// ZOO_TILE_COLS: 6 columns are 3 + 3, not 5 + 1.
template <typename Step>
inline void column_blocks(std::size_t k, Step step) {
  if (k == 0) return;
  const std::size_t blocks = (k + ZOO_TILE_COLS - 1) / ZOO_TILE_COLS;
  for (std::size_t b = 0; b < blocks; ++b) {
    const std::size_t begin = b * k / blocks;
    step(begin, (b + 1) * k / blocks - begin);
  }
}

template <typename T>
void dots(const T* const* x, std::size_t m, std::size_t d, const T* w, std::size_t ldw,
          std::size_t k, T* out, std::size_t ldo) {
  column_blocks(k, [&](std::size_t c, std::size_t width) {
    const T* wc = w + c * ldw;
    switch (width) {
      case 1:
        return dots_columns<T, 1>(x, m, d, wc, ldw, out + c, ldo);
      case 2:
        return dots_columns<T, 2>(x, m, d, wc, ldw, out + c, ldo);
      case 3:
        return dots_columns<T, 3>(x, m, d, wc, ldw, out + c, ldo);
      case 4:
        return dots_columns<T, 4>(x, m, d, wc, ldw, out + c, ldo);
#if ZOO_TILE_COLS > 5
      case 5:
        return dots_columns<T, 5>(x, m, d, wc, ldw, out + c, ldo);
#endif
      default:
        return dots_columns<T, ZOO_TILE_COLS>(x, m, d, wc, ldw, out + c, ldo);
    }
  });
}

template <typename T>
void outer(const T* const* x, std::size_t m, std::size_t d, const T* r, std::size_t ldr,
           std::size_t k, T* g, std::size_t ldg, const T* const* next) {
  column_blocks(k, [&](std::size_t c, std::size_t width) {
    T* gc = g + c * ldg;
    const T* const* ahead = c == 0 ? next : nullptr;
    switch (width) {
      case 1:
        return outer_columns<T, 1>(x, m, d, r + c, ldr, gc, ldg, ahead);
      case 2:
        return outer_columns<T, 2>(x, m, d, r + c, ldr, gc, ldg, ahead);
      case 3:
        return outer_columns<T, 3>(x, m, d, r + c, ldr, gc, ldg, ahead);
      case 4:
        return outer_columns<T, 4>(x, m, d, r + c, ldr, gc, ldg, ahead);
#if ZOO_TILE_COLS > 5
      case 5:
        return outer_columns<T, 5>(x, m, d, r + c, ldr, gc, ldg, ahead);
#endif
      default:
        return outer_columns<T, ZOO_TILE_COLS>(x, m, d, r + c, ldr, gc, ldg, ahead);
    }
  });
}

}  // namespace
}  // namespace zoo::detail
