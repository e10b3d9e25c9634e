#pragma once
// The words of CUDA that the kernels of cuda/ are written with.
#include <cmath>
#include <type_traits>

#include "block.h"

#define __global__
#define __device__
#define __host__
#define __launch_bounds__(threads)
#define __shared__ static  // blocks run one at a time; a sanitizer puts red zones around it

// The launch's dynamic shared memory; cuda/launch.cuh has the device's.
template <class T>
T* dynamic_shared() {
  return static_cast<T*>(emulate::block.shared());
}

inline void __syncthreads() { emulate::block.sync_threads(); }
inline void __syncwarp(unsigned = 0xFFFFFFFF) { emulate::block.sync_warp(); }

namespace emulate {

// The value that lane `from(lane)` of this thread's warp passes; its own where there is no such
// lane.
template <class T, class F>
T shuffle(T value, const F& from) {
  static_assert(sizeof(T) <= sizeof(uint64_t));
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  const uint64_t* values = block.exchange(bits);
  const unsigned lane = threadIdx.x % kWarpSize, other = from(lane);
  std::memcpy(&value, values + (other < kWarpSize ? other : lane), sizeof value);
  return value;
}

}  // namespace emulate

// All lanes of a warp take part, whatever the mask says; the kernels always pass all.
template <class T>
T __shfl_sync(unsigned, T value, unsigned from) {
  return emulate::shuffle(value, [=](unsigned) { return from % emulate::kWarpSize; });
}

template <class T>
T __shfl_up_sync(unsigned, T value, unsigned distance) {
  return emulate::shuffle(value, [=](unsigned lane) { return lane - distance; });
}

template <class T>
T __shfl_down_sync(unsigned, T value, unsigned distance) {
  return emulate::shuffle(value, [=](unsigned lane) { return lane + distance; });
}

template <class T>
T __shfl_xor_sync(unsigned, T value, unsigned mask) {
  return emulate::shuffle(value, [=](unsigned lane) { return lane ^ mask; });
}

inline unsigned __ballot_sync(unsigned, int predicate) {
  const uint64_t* values = emulate::block.exchange(predicate != 0);
  unsigned lanes = 0;
  for (unsigned lane = 0; lane < emulate::kWarpSize; ++lane)
    lanes |= static_cast<unsigned>(values[lane]) << lane;
  return lanes;
}

inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
inline int __all_sync(unsigned mask, int predicate) { return __ballot_sync(mask, !predicate) == 0; }

// Other threads run only where this one waits, so that these are atomic as they are.
template <class T>
T atomicAdd(T* at, std::common_type_t<T> value) {
  const T before = *at;
  *at = before + value;
  return before;
}

template <class T>
T atomicMax(T* at, std::common_type_t<T> value) {
  const T before = *at;
  if (value > before) *at = value;
  return before;
}

template <class T>
T atomicCAS(T* at, std::common_type_t<T> expected, std::common_type_t<T> value) {
  const T before = *at;
  if (before == expected) *at = value;
  return before;
}

template <class T>
T __ldg(const T* at) {
  return *at;
}

inline int __popc(unsigned bits) { return __builtin_popcount(bits); }
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }

inline unsigned __float_as_uint(float x) {
  unsigned bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}
inline float __uint_as_float(unsigned bits) {
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}
