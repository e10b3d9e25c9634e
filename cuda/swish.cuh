#pragma once
// The logistic function σ, and swish(x) = x σ(x).

namespace slm {

__device__ inline float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

// swish and its derivative, σ + x σ (1 − σ).
struct Swish {
  __device__ explicit Swish(float x) : sigma(sigmoid(x)), value(x * sigma) {}
  __device__ float derivative() const { return fmaf(value, 1.0f - sigma, sigma); }

  float sigma, value;
};

}  // namespace slm
