#pragma once
// The RMS norm over rows (batch, width), and the mask of locked dropout after it.
#include "cpu/blocks.h"

namespace slm {

// v = norm(x) over a block. Without a weight there is no norm: v is x, and nothing is done.
void norm_forward(const Kernels& kernels, const float* weight, const Array& x, const Block& at,
                  const Array& v);
// Adds the gradient of x to dx, and replaces dv by each position's term of the weight's gradient.
void norm_backward(const Kernels& kernels, const float* weight, const Array& x, const Block& at,
                   const Array& dv, const Array& dx);
// x *= mask at all time steps of a block; mask (batch, width) may be null.
void apply_mask(const float* mask, const Block& at, const Array& x);

}  // namespace slm
