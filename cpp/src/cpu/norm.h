#pragma once
// The RMS norm over rows (batch, width), and the mask of locked dropout after it.
#include "cpu/blocks.h"

namespace slm {

// v = norm(x) of a block by the norm's weight; without one, v is x itself and there is nothing to
// do.
void norm_forward(const Kernels& kernels, const float* weight, const Array& x, const Block& at,
                  const Array& v);
// Adds what comes back through it to dx, and leaves in dv what its weight gets.
void norm_backward(const Kernels& kernels, const float* weight, const Array& x, const Block& at,
                   const Array& dv, const Array& dx);
// x *= mask at all time steps of a block; mask (batch, width) may be null.
void apply_mask(const float* mask, const Block& at, const Array& x);

}  // namespace slm
