// One layer over a range of time: the norm before the cell and the residual around it, which both
// cells share.
#include <utility>

#include "backend.cuh"

namespace slm {

void CudaBackend::layer_forward(const Weights& weights, Workspace& workspace, int64_t layer,
                                int64_t t0, int64_t t1) const {
  auto& ws = static_cast<CudaWorkspace&>(workspace);
  const CudaLayerChunk c(static_cast<const CudaWeights&>(weights), ws, layer, t0, t1);
  if (c.norm != nullptr)
    norm_forward(ws, c.norm, c.mask, c.u, c.positions, c.v, c.residual ? c.y : nullptr);
  else if (c.residual)
    copy_floats(c.u, c.positions * c.E, c.y);
  if (ws.gated)
    gated_forward(ws, c);
  else
    dense_forward(ws, c);
}

// The norm is computed again, since ws.v has held another layer's since the forward pass.
void CudaBackend::layer_backward(const Weights& weights, Workspace& workspace,
                                 Gradients& any_gradients, int64_t layer, int64_t t0,
                                 int64_t t1) const {
  auto& ws = static_cast<CudaWorkspace&>(workspace);
  auto& gradients = static_cast<CudaGradients&>(any_gradients);
  const CudaLayerChunk c(static_cast<const CudaWeights&>(weights), ws, layer, t0, t1);
  const CudaChunkGradients d(c, ws);
  if (c.norm != nullptr) norm_forward(ws, c.norm, c.mask, c.u, c.positions, c.v);
  if (d.dx_begun) copy_floats(d.dy, c.positions * c.E, d.du);
  if (ws.gated)
    gated_backward(ws, gradients, c, d);
  else
    dense_backward(ws, gradients, c, d);
  if (c.norm != nullptr)
    norm_backward(ws, c.norm, c.mask, c.u, d.dv, c.residual ? d.dy : nullptr, c.positions, d.du,
                  gradients.at(c.w.norm));
  std::swap(ws.dy.values, ws.du.values);
}

}  // namespace slm
