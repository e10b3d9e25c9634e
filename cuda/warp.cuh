#pragma once
// Warps: 32 threads in step, which pass values to each other without shared memory.
#include <cstdint>

namespace slm {

constexpr int kWarpSize = 32;
constexpr unsigned kAllLanes = 0xFFFFFFFF;

// The sum over the lanes of a warp, in every lane, in a fixed order. All lanes have to call it.
__device__ inline float warp_sum(float x) {
  for (int distance = kWarpSize / 2; distance > 0; distance /= 2)
    x += __shfl_xor_sync(kAllLanes, x, distance);
  return x;
}

}  // namespace slm
