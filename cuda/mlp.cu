// The MLP after a layer's cell, a SwiGLU (docs/model.md). Positions do not depend on each other.
//
//   x, v, y       (T, B, E)  the cell's output; its norm; the layer's output
//   p, q          (T, B, M)  gate and value, in one array (T, B, 2M)
//   m             (T, B, M)
//   W_in (2M, E), W_out (E, M)
//
//   p, q = W_in norm(x);  m = swish(p) q;  y = x + W_out m
#include "backend.cuh"
#include "swish.cuh"

namespace slm {
namespace {

constexpr int kThreads = 256;

// One block per position, forward and backward.
__global__ void swiglu_forward(const float* q, int64_t M, float* m) {
  q += blockIdx.x * 2 * M;
  m += blockIdx.x * M;
  for (int64_t i = threadIdx.x; i < M; i += kThreads) m[i] = Swish(q[i]).value * q[M + i];
}

// Computes m again, since all layers share its array.
__global__ void swiglu_backward(const float* q, const float* dm, int64_t M, float* m, float* dq) {
  q += blockIdx.x * 2 * M;
  dm += blockIdx.x * M;
  m += blockIdx.x * M;
  dq += blockIdx.x * 2 * M;
  for (int64_t i = threadIdx.x; i < M; i += kThreads) {
    const Swish gate(q[i]);
    const float up = q[M + i], d = dm[i];
    m[i] = gate.value * up;
    dq[i] = d * up * gate.derivative();
    dq[M + i] = d * gate.value;
  }
}

}  // namespace

void CudaBackend::mlp_forward(const Weights& any_weights, Workspace& any_workspace, int64_t layer,
                              int64_t t0, int64_t t1) const {
  const auto& weights = static_cast<const CudaWeights&>(any_weights);
  auto& ws = static_cast<CudaWorkspace&>(any_workspace);
  const LayerTensors& tensors = weights.layers[static_cast<size_t>(layer)];
  const int64_t E = ws.E, M = ws.M, positions = (t1 - t0) * ws.B;
  const float* x = ws.y_at(layer, t0);
  float *q = ws.q_at(layer, t0), *m = ws.row_of(ws.m, t0, M), *y = ws.u_at(layer + 1, t0);
  const float* v = x;
  if (tensors.mlp_norm != nullptr) {
    float* normed = ws.row_of(ws.v, t0, E);
    norm_forward(ws, weights.at(tensors.mlp_norm), nullptr, x, positions, normed, y);
    v = normed;
  } else {
    copy_floats(x, positions * E, y);
  }
  gemm_(positions, 2 * M, E, {v, E}, {weights.at(tensors.mlp_in), E, Op::transpose}, 0, q, 2 * M);
  launch(stream_, num_blocks(positions, 1), kThreads, swiglu_forward, q, M, m);
  gemm_(positions, E, M, {m, M}, {weights.at(tensors.mlp_out), M, Op::transpose}, 1, y, E);
}

// dx takes the place of dy once the gradients through W_out are computed.
void CudaBackend::mlp_backward(const Weights& any_weights, Workspace& any_workspace,
                               Gradients& any_gradients, int64_t layer, int64_t t0,
                               int64_t t1) const {
  const auto& weights = static_cast<const CudaWeights&>(any_weights);
  auto& ws = static_cast<CudaWorkspace&>(any_workspace);
  auto& gradients = static_cast<CudaGradients&>(any_gradients);
  const LayerTensors& tensors = weights.layers[static_cast<size_t>(layer)];
  const int64_t E = ws.E, M = ws.M, positions = (t1 - t0) * ws.B;
  const float *x = ws.y_at(layer, t0), *norm = weights.at(tensors.mlp_norm);
  float *m = ws.row_of(ws.m, t0, M), *dm = ws.row_of(ws.dm, t0, M);
  float *dq = ws.row_of(ws.dq, t0, 2 * M), *dy = ws.row_of(ws.dy, t0, E);
  gemm_(positions, M, E, {dy, E}, {weights.at(tensors.mlp_out), M}, 0, dm, M);
  launch(stream_, num_blocks(positions, 1), kThreads, swiglu_backward, ws.q_at(layer, t0), dm, M, m,
         dq);
  gemm_(E, M, positions, {dy, E, Op::transpose}, {m, M}, 1, gradients.at(tensors.mlp_out), M);
  const Matrix d_in{dq, 2 * M, Op::transpose}, w_in{weights.at(tensors.mlp_in), E};
  float* dw_in = gradients.at(tensors.mlp_in);
  if (norm == nullptr) {
    gemm_(2 * M, E, positions, d_in, {x, E}, 1, dw_in, E);
    gemm_(positions, E, 2 * M, {dq, 2 * M}, w_in, 1, dy, E);
    return;
  }
  float *v = ws.row_of(ws.v, t0, E), *dv = ws.row_of(ws.dv, t0, E);
  norm_forward(ws, norm, nullptr, x, positions, v);
  gemm_(2 * M, E, positions, d_in, {v, E}, 1, dw_in, E);
  gemm_(positions, E, 2 * M, {dq, 2 * M}, w_in, 0, dv, E);
  norm_backward(ws, norm, nullptr, x, dv, dy, positions, dy, gradients.at(tensors.mlp_norm));
}

}  // namespace slm
