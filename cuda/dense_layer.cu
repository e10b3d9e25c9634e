// The dense cell: h_t = A h_{t-1} + B v_t, s_t = swish(h_t), y_t = C s_t + D
// v_t. All products but those of the recurrence are over the whole range at
// once; the recurrence is in scan.cu.
#include <algorithm>

#include "backend.cuh"
#include "scan.cuh"
#include "swish.cuh"

namespace slm {
namespace {

constexpr int kThreads = 256;

__global__ void swish_forward(const float* h, float* s, int64_t size) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i < size) s[i] = Swish(h[i]).value;
}

// s = swish(h), and d, the gradient by s, becomes that by h.
__global__ void swish_backward(const float* h, float* s, float* d, int64_t size) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= size) return;
  const Swish swish(h[i]);
  s[i] = swish.value;
  d[i] *= swish.derivative();
}

}  // namespace

void CudaBackend::swish(const float* h, int64_t size, float* s) const {
  launch(stream_, num_blocks(size, kThreads), kThreads, swish_forward, h, s, size);
}

void CudaBackend::dense_forward(const CudaWeights& weights, const LayerTensors& w,
                                CudaWorkspace& ws, const LayerChunk& r) const {
  const int64_t E = r.E, N = r.N, row = r.B * N;
  gemm_(r.positions, N, E, {r.v, E}, {weights.at(w.B), E, Op::transpose}, 0, r.h, N);
  scan(gemm_, r.B, N, {weights.at(w.A), N, Op::transpose}, {r.h, row, r.steps},
       std::min(ws.scan_halvings, scan_levels(r.steps, N, r.B)), device_data(ws.powers));
  if (r.makes_logits) return;  // the head does the rest
  swish(r.h, r.positions * N, r.s);
  gemm_(r.positions, E, N, {r.s, N}, {weights.at(w.C), N, Op::transpose}, r.residual ? 1 : 0, r.y,
        E);
  gemm_(r.positions, E, E, {r.v, E}, {weights.at(w.D), E, Op::transpose}, 1, r.y, E);
}

// In mirrored order. dh begins as the gradient by s.
void CudaBackend::dense_backward(const CudaWeights& weights, const LayerTensors& w,
                                 CudaWorkspace& ws, CudaGradients& gradients, const LayerChunk& r,
                                 const LayerChunkGradients& d) const {
  const int64_t E = r.E, N = r.N, O = d.O, P = r.positions, row = r.B * N;
  gemm_(P, N, O, {d.dy, O}, {weights.at(w.C), N}, 0, d.dh, N);
  launch(stream_, num_blocks(P * N, kThreads), kThreads, swish_backward, r.h, r.s, d.dh, P * N);
  copy_floats(d.carried, row, d.dh + P * N);
  scan(gemm_, r.B, N, {weights.at(w.A), N}, {d.dh + P * N - row, -row, r.steps},
       std::min(ws.scan_halvings, scan_levels(r.steps, N, r.B)), device_data(ws.powers));
  copy_floats(d.dh, row, d.carried);
  gemm_(P, E, O, {d.dy, O}, {weights.at(w.D), E}, d.dx_begun ? 1 : 0, d.dx, E);
  gemm_(P, E, N, {d.dh, N}, {weights.at(w.B), E}, 1, d.dx, E);
  gemm_(N, N, P, {d.dh, N, Op::transpose}, {r.h - row, N}, 1, gradients.at(w.A), N);
  gemm_(N, E, P, {d.dh, N, Op::transpose}, {r.v, E}, 1, gradients.at(w.B), E);
  gemm_(O, N, P, {d.dy, O, Op::transpose}, {r.s, N}, 1, gradients.at(w.C), N);
  gemm_(O, E, P, {d.dy, O, Op::transpose}, {r.v, E}, 1, gradients.at(w.D), E);
}

}  // namespace slm
