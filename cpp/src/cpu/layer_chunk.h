#pragma once
// One layer over one chunk of time, with the steps that both cells share: the norm and the locked
// dropout before the cell, and the residual around it.
#include <cstring>

#include "cpu/blocks.h"
#include "cpu/memory.h"

namespace slm {

inline void copy_row(const float* from, float* to, int64_t width) {
  std::memcpy(to, from, static_cast<size_t>(width) * sizeof(float));
}

struct CpuLayerChunk {
  CpuLayerChunk(const Kernels& arithmetic, const CpuWeights& all_weights, CpuWorkspace& ws,
                int64_t index, int64_t t0, int64_t t1);

  void norm_input(const Block& at) const;  // v = norm(u)
  // y = u where there is a residual. Returns whether the cell's output is to be added to y.
  bool init_output(const Block& at) const;

  // dx() is where the cell puts the gradient of its input v. init_input_grad returns whether to add
  // it to what is there (dy, which the residual passes on); finish_input_grad computes du from it
  // and leaves in dv each position's gradient of the norm's weight.
  const Array& dx() const { return norm ? dv : du; }
  bool init_input_grad(const Block& at) const;
  void finish_input_grad(const Block& at) const;

  bool starts_at(int64_t t, int64_t b) const { return starts != nullptr && starts[t * B + b] != 0; }

  double flops(int64_t per_position) const {
    return 2.0 * static_cast<double>(steps * B * per_position);
  }

  const Kernels& kernels;
  const CpuWeights& weights;
  const LayerTensors& w;
  const int64_t layer, t0, steps, B, E, N;
  const bool makes_logits;  // the last layer of a model without a head
  const bool residual;
  const float* norm;      // its weight (E,), or null
  const float* mask;      // of v, (B, E), or null
  const uint8_t* starts;  // (T, B): where texts start; or null
  const Array u, v, y, h, s;
  const Array dy, du, dv, dh;
  const Array carried;  // dh of the time step after the chunk: one time step
};

}  // namespace slm
