#include "cpu/layer_chunk.h"

#include <algorithm>
#include <utility>

#include "cpu/cpu_backend.h"
#include "cpu/norm.h"

namespace slm {

CpuLayerChunk::CpuLayerChunk(const Kernels& arithmetic, const CpuWeights& all_weights,
                             CpuWorkspace& ws, int64_t index, int64_t from, int64_t to)
    : kernels(arithmetic),
      weights(all_weights),
      w(weights.layers[static_cast<size_t>(index)]),
      layer(index),
      t0(from),
      steps(to - from),
      B(ws.B),
      E(ws.E),
      N(ws.N),
      makes_logits(weights.head == nullptr && index + 1 == ws.L),
      residual(ws.config.residual),
      norm(weights.at(w.norm)),
      mask(ws.mask(index)),
      starts(ws.starts != nullptr ? ws.starts + from * B : nullptr),
      u{ws.u(index, from), B, E},
      v{norm ? ws.v.get() : u.data, B, E},
      y{makes_logits ? nullptr : ws.y(index, from), B, E},
      h{ws.h(index, from), B, N},
      s{ws.s.get(), B, N},
      dy{makes_logits ? ws.logits.get() : ws.dy.get(), B, makes_logits ? kVocabSize : E},
      du{ws.du.get(), B, E},
      dv{ws.dv.get(), B, E},
      dh{ws.dh.get(), B, N},
      carried{ws.dh_next.get() + index * B * N, B, N} {}

void CpuLayerChunk::norm_input(const Block& at) const {
  norm_forward(kernels, norm, u, at, v);
  apply_mask(mask, at, v);
}

bool CpuLayerChunk::init_output(const Block& at) const {
  if (!residual) return false;
  for (int64_t t = at.t0; t < at.t1; ++t)
    copy_row(u.row(t, at.b0), y.row(t, at.b0), (at.b1 - at.b0) * E);
  return true;
}

bool CpuLayerChunk::init_input_grad(const Block& at) const {
  for (int64_t t = at.t0; t < at.t1; ++t) {
    if (residual)
      copy_row(dy.row(t, at.b0), du.row(t, at.b0), (at.b1 - at.b0) * E);
    else if (norm != nullptr)
      std::fill_n(du.row(t, at.b0), (at.b1 - at.b0) * E, 0.0f);
  }
  return residual && norm == nullptr;
}

void CpuLayerChunk::finish_input_grad(const Block& at) const {
  apply_mask(mask, at, dv);
  norm_backward(kernels, norm, u, at, dv, du);
}

void CpuBackend::layer_forward(const Weights& any_weights, Workspace& any_workspace, int64_t layer,
                               int64_t t0, int64_t t1) const {
  const auto& weights = static_cast<const CpuWeights&>(any_weights);
  auto& ws = static_cast<CpuWorkspace&>(any_workspace);
  const CpuLayerChunk chunk(kernels_, weights, ws, layer, t0, t1);
  if (ws.gated)
    gated_forward(ws, chunk);
  else
    dense_forward(chunk);
}

void CpuBackend::layer_backward(const Weights& any_weights, Workspace& any_workspace,
                                Gradients& any_gradients, int64_t layer, int64_t t0,
                                int64_t t1) const {
  const auto& weights = static_cast<const CpuWeights&>(any_weights);
  auto& ws = static_cast<CpuWorkspace&>(any_workspace);
  float* grads = static_cast<CpuGradients&>(any_gradients).dense.get();
  const CpuLayerChunk chunk(kernels_, weights, ws, layer, t0, t1);
  if (ws.gated)
    gated_backward(ws, chunk, grads);
  else
    dense_backward(chunk, grads);
  std::swap(ws.dy, ws.du);
}

}  // namespace slm
