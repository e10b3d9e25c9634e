#pragma once
// The linear recurrence h_t = A h_{t-1} + x_t of the dense cell, in rising or falling time.
#include <cstdint>

#include "gemm.cuh"
#include "starts.cuh"

namespace slm {

// Elements of (B, N) that lie `stride` floats from each other, a negative number in falling time.
// The element before the first one is the initial state.
struct Sequence {
  float* first;
  int64_t stride, count;
};

// How often a scan over `count` elements is halved before the rest is computed sequentially.
int64_t scan_levels(int64_t count, int64_t N, int64_t B);

// Texts that start within a sequence: there h_{t-1} = 0 in rising time, h_{t+1} = 0 in the step
// before in falling time.
struct Cuts {
  Starts starts;
  int64_t steps = 0;  // of the sequence as it is before any halving
  cudaStream_t stream = nullptr;
  float* copies = nullptr;  // room for half of the sequence, rounded up
  int64_t size = 1;         // time steps from an element to the next, after some halvings
};

// Replaces x_t by h_t in place, by row vectors times op(A), (N, N). Halves `levels` times; A^2,
// A^4,
// ... go to `powers`, (levels, N, N). No text starts within the sequence if `cuts` is null.
void scan(const Gemm& gemm, int64_t B, int64_t N, const Matrix& A, const Sequence& x,
          int64_t levels, float* powers, const Cuts* cuts = nullptr);

}  // namespace slm
