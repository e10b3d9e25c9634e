#pragma once
// The linear recurrence h_t = A h_{t-1} + x_t of the dense cell, forwards and
// backwards in time.
#include <cstdint>

#include "gemm.cuh"

namespace slm {

// Elements of (B, N) that lie `stride` floats from each other; negative where
// they follow each other backwards in memory. The place before the first one
// holds what is carried in.
struct Sequence {
  float* first;
  int64_t stride, count;
};

// How often a scan over `count` elements is halved before the rest is done one
// by one.
int64_t scan_levels(int64_t count, int64_t N, int64_t B);

// Elements hold x_t, and h_t afterwards. As rows they are multiplied by op(A),
// (N, N). Halves `levels` times; A^2, A^4, ... go to `powers`, (levels, N, N).
void scan(const Gemm& gemm, int64_t B, int64_t N, const Matrix& A, const Sequence& x,
          int64_t levels, float* powers);

}  // namespace slm
