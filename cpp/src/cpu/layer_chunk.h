#pragma once
// What the two cells share: a chunk of one layer, the norm before the cell and the residual around
// it.
#include <cstring>

#include "cpu/blocks.h"
#include "cpu/memory.h"

namespace slm {

inline void copy_row(const float* from, float* to, int64_t width) {
  std::memcpy(to, from, static_cast<size_t>(width) * sizeof(float));
}

struct LayerChunk {
  LayerChunk(const Kernels& arithmetic, const CpuWeights& weights, CpuWorkspace& ws, int64_t index,
             int64_t t0, int64_t t1);

  // v = norm(u).
  void norm_input(const Block& at) const;
  // Readies y for what the cell adds to it: returns whether there is anything in it already.
  bool init_output(const Block& at) const;

  // dx() is where the cell puts its input's gradient. init_input_grad readies it, as init_output
  // does y; finish_input_grad makes du of it, and in dv leaves what the norm's weight gets.
  const Array& dx() const { return norm ? dv : du; }
  bool init_input_grad(const Block& at) const;
  void finish_input_grad(const Block& at) const;

  double flops(int64_t per_position) const {
    return 2.0 * static_cast<double>(steps * B * per_position);
  }

  const Kernels& kernels;
  const int64_t layer, t0, steps, B, E, N;
  const bool makes_logits;  // the last layer of a model without a head
  const bool residual;
  const float* norm;  // its weight (E,), or null
  const float* mask;  // of v, (B, E), or null
  const Array u, v, y, h, s;
  const Array dy, du, dv, dh;
  const Array carried;  // dh of the time step after the chunk: one time step
};

}  // namespace slm
