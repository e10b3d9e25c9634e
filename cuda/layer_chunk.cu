// What the two cells share: the norm before the cell and the residual around it.
#include <utility>

#include "backend.cuh"

namespace slm {

void CudaBackend::layer_forward(const Weights& any_weights, Workspace& any_workspace, int64_t layer,
                                int64_t t0, int64_t t1) const {
  const auto& weights = static_cast<const CudaWeights&>(any_weights);
  auto& ws = static_cast<CudaWorkspace&>(any_workspace);
  const LayerChunk range(weights, ws, layer, t0, t1);
  const LayerTensors& tensors = weights.layers[static_cast<size_t>(layer)];
  if (range.norm != nullptr)
    norm_forward(ws, range.norm, range.mask, range.u, range.positions, range.v,
                 range.residual ? range.y : nullptr);
  else if (range.residual)
    copy_floats(range.u, range.positions * range.E, range.y);
  if (ws.gated)
    gated_forward(weights, tensors, ws, range);
  else
    dense_forward(weights, tensors, ws, range);
}

// In mirrored order; ws.v was another layer's in the meantime.
void CudaBackend::layer_backward(const Weights& any_weights, Workspace& any_workspace,
                                 Gradients& any_gradients, int64_t layer, int64_t t0,
                                 int64_t t1) const {
  const auto& weights = static_cast<const CudaWeights&>(any_weights);
  auto& ws = static_cast<CudaWorkspace&>(any_workspace);
  auto& gradients = static_cast<CudaGradients&>(any_gradients);
  const LayerChunk range(weights, ws, layer, t0, t1);
  const LayerChunkGradients back(range, ws);
  const LayerTensors& tensors = weights.layers[static_cast<size_t>(layer)];
  if (range.norm != nullptr)
    norm_forward(ws, range.norm, range.mask, range.u, range.positions, range.v);
  if (back.dx_begun) copy_floats(back.dy, range.positions * range.E, back.du);
  if (ws.gated)
    gated_backward(weights, tensors, ws, gradients, range, back);
  else
    dense_backward(weights, tensors, ws, gradients, range, back);
  if (range.norm != nullptr)
    norm_backward(ws, range.norm, range.mask, range.u, back.dv, range.residual ? back.dy : nullptr,
                  range.positions, back.du, gradients.at(tensors.norm));
  std::swap(ws.dy.values, ws.du.values);
}

}  // namespace slm
