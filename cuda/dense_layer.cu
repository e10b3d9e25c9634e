// The dense cell over a range of time, forward and in mirrored order backward (docs/model.md).
//
//   u, v, y       (T, B, E)  input; its norm, with locked dropout; output, (T, B, O)
//   h, s          (T, B, N)  state; swish(h)
//   A (N, N), B (N, E), C (O, N), D (O, E)
//
//   h = B norm(u)                                           project
//   for t: h_t += A h_{t-1}                                 scan, parallel over time: scan.cu
//                                                           (h_{t-1} = 0 where a text starts)
//   s = swish(h)
//   y = C s + D v (+ u)                                     output; of the last layer of a model
//                                                           without a head: head.cu
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

// s = swish(h), and ds becomes dh in place.
__global__ void swish_backward(const float* h, float* s, float* d, int64_t size) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= size) return;
  const Swish swish(h[i]);
  s[i] = swish.value;
  d[i] *= swish.derivative();
}

// Zeroes the rows of x, (positions, N), at which a text starts.
__global__ void clear_starts(Starts starts, int64_t B, int64_t N, int64_t positions, float* x) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x, r = i / N;
  if (r < positions && starts.at(r / B, r % B)) x[i] = 0;
}

}  // namespace

void CudaBackend::swish(const float* h, int64_t size, float* s) const {
  launch(stream_, num_blocks(size, kThreads), kThreads, swish_forward, h, s, size);
}

void CudaBackend::dense_forward(CudaWorkspace& ws, const CudaLayerChunk& c) const {
  const int64_t E = c.E, N = c.N, P = c.positions, row = c.B * N;
  const auto transposed = [&](const Tensor* w, int64_t cols) {
    return Matrix{c.weights.at(w), cols, Op::transpose};
  };
  // project: h = B v
  gemm_(P, N, E, {c.v, E}, transposed(c.w.B, E), 0, c.h, N);
  // scan: h_t += A h_{t-1}; s is still free
  const Cuts cuts{c.starts, c.steps, stream_, c.s};
  scan(gemm_, c.B, N, transposed(c.w.A, N), {c.h, row, c.steps},
       std::min(ws.scan_halvings, scan_levels(c.steps, N, c.B)), device_data(ws.powers),
       ws.has_starts ? &cuts : nullptr);
  if (c.makes_logits) return;  // head.cu does the rest
  // output: y = C swish(h) + D v (+ u)
  swish(c.h, P * N, c.s);
  gemm_(P, E, N, {c.s, N}, transposed(c.w.C, N), c.residual ? 1 : 0, c.y, E);
  gemm_(P, E, E, {c.v, E}, transposed(c.w.D, E), 1, c.y, E);
}

void CudaBackend::dense_backward(CudaWorkspace& ws, CudaGradients& gradients,
                                 const CudaLayerChunk& c, const CudaChunkGradients& d) const {
  const int64_t E = c.E, N = c.N, O = d.O, P = c.positions, row = c.B * N;
  const auto matrix = [&](const Tensor* w, int64_t cols) { return Matrix{c.weights.at(w), cols}; };
  const auto clear = [&](int64_t positions, float* x) {  // where texts start
    launch(stream_, num_blocks(positions * N, kThreads), kThreads, clear_starts, c.starts, c.B, N,
           positions, x);
  };
  // grad_output: ds = Cᵀ dy, in the place of dh
  gemm_(P, N, O, {d.dy, O}, matrix(c.w.C, N), 0, d.dh, N);
  // scan_reverse: dh_t = ds_t swish'(h_t) + Aᵀ dh_{t+1}
  launch(stream_, num_blocks(P * N, kThreads), kThreads, swish_backward, c.h, c.s, d.dh, P * N);
  copy_floats(d.carried, row, d.dh + P * N);
  const Cuts cuts{c.starts, c.steps, stream_, c.s};
  scan(gemm_, c.B, N, matrix(c.w.A, N), {d.dh + P * N - row, -row, c.steps},
       std::min(ws.scan_halvings, scan_levels(c.steps, N, c.B)), device_data(ws.powers),
       ws.has_starts ? &cuts : nullptr);
  copy_floats(d.dh, row, d.carried);
  if (ws.has_starts) {  // s again, and nothing for the time step before
    swish(c.h, P * N, c.s);
    clear(c.B, d.carried);
  }
  // grad_input: dv = Dᵀ dy + Bᵀ dh (+ dy)
  gemm_(P, E, O, {d.dy, O}, matrix(c.w.D, E), d.dx_begun ? 1 : 0, d.dx, E);
  gemm_(P, E, N, {d.dh, N}, matrix(c.w.B, E), 1, d.dx, E);
  // weight gradients; A's last, since where it has no part in h, its gradient has none in dh
  gemm_(N, E, P, {d.dh, N, Op::transpose}, {c.v, E}, 1, gradients.at(c.w.B), E);
  gemm_(O, N, P, {d.dy, O, Op::transpose}, {c.s, N}, 1, gradients.at(c.w.C), N);
  gemm_(O, E, P, {d.dy, O, Op::transpose}, {c.v, E}, 1, gradients.at(c.w.D), E);
  if (ws.has_starts) clear(P, d.dh);
  gemm_(N, N, P, {d.dh, N, Op::transpose}, {c.h - row, N}, 1, gradients.at(c.w.A), N);
}

}  // namespace slm
