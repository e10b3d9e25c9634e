#pragma once
// Gradients of weights, summed over the positions of a chunk.
#include "backend.h"

namespace slm {

// One weight's gradient: dw += sum over positions of dy x^T, or, without x, of dy alone.
struct WeightGrad {
  const Tensor* tensor;
  const float* dy;  // (positions, rows)
  const float* x;   // (positions, cols), or null

  int64_t col_tiles() const;
  int64_t tiles() const;
};

// The weight gradients of one operation.
class WeightGrads {
 public:
  void add(const Tensor* tensor, const float* dy, const float* x) {
    if (tensor != nullptr) weights_[count_++] = {tensor, dy, x};
  }
  const WeightGrad* begin() const { return weights_; }
  const WeightGrad* end() const { return weights_ + count_; }

 private:
  WeightGrad weights_[6];
  int64_t count_ = 0;
};

}  // namespace slm
