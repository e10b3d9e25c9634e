#pragma once
// The linear recurrence h_t = A h_{t-1} + x_t of the dense cell, in rising or falling time.
#include <cstdint>

#include "gemm.cuh"

namespace slm {

// Elements of (B, N) that lie `stride` floats from each other, a negative number in falling time.
// The element before the first one is the initial state.
struct Sequence {
  float* first;
  int64_t stride, count;
};

// How often a scan over `count` elements is halved before the rest is computed sequentially.
int64_t scan_levels(int64_t count, int64_t N, int64_t B);

// Replaces x_t by h_t in place, by row vectors times op(A), (N, N). Halves `levels` times; A^2,
// A^4,
// ... go to `powers`, (levels, N, N).
void scan(const Gemm& gemm, int64_t B, int64_t N, const Matrix& A, const Sequence& x,
          int64_t levels, float* powers);

}  // namespace slm
