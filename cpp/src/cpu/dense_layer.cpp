// The dense cell: h_t = A h_{t-1} + B u_t, s_t = swish(h_t), y_t = C s_t + D u_t.
#include <algorithm>
#include <cstring>
#include <utility>

#include "cpu/cpu_backend.h"

namespace slm {
namespace {

// Weight gradients are shared out in tiles of this many rows and columns.
constexpr int64_t kTileRows = 48, kTileCols = 64;

// One weight's gradient: dw += sum over positions of dy x^T.
struct WeightGrad {
  const Tensor* tensor;
  const float* dy;  // (positions, rows)
  const float* x;   // (positions, cols)

  int64_t col_tiles() const { return (tensor->cols() + kTileCols - 1) / kTileCols; }
  int64_t tiles() const { return (tensor->rows() + kTileRows - 1) / kTileRows * col_tiles(); }
};

void add_tile(const Kernels& kernels, const WeightGrad& w, int64_t index, int64_t positions,
              float* grads) {
  const int64_t rows = w.tensor->rows(), cols = w.tensor->cols();
  const int64_t i = index / w.col_tiles() * kTileRows, j = index % w.col_tiles() * kTileCols;
  kernels.outer_sum(w.dy + i, rows, w.x + j, cols, positions,
                    grads + w.tensor->offset + i * cols + j, cols, std::min(kTileRows, rows - i),
                    std::min(kTileCols, cols - j));
}

}  // namespace

// Threads split the batch: a row's recurrence never leaves its thread and nobody waits for anybody.
void CpuBackend::layer_forward(const Weights& any_weights, Workspace& any_workspace, int64_t layer,
                               int64_t t0, int64_t t1) const {
  const PackedLayer& w = static_cast<const CpuWeights&>(any_weights).layers[layer];
  auto& ws = static_cast<CpuWorkspace&>(any_workspace);
  const bool last = layer + 1 == ws.L;
  const int64_t B = ws.B, E = ws.E, N = ws.N, O = last ? kVocabSize : E, steps = t1 - t0;
  float* y = last ? ws.logits_at(t0) : ws.u(layer + 1, t0);
  const double flops = 2.0 * static_cast<double>(steps * B * (N + O) * (N + E));

  split(B, flops, [&](int64_t b0, int64_t b1) {
    const int64_t rows = b1 - b0;
    const RowGrid all{steps, rows}, one{1, rows};
    const ConstRows u{ws.u(layer, t0) + b0 * E, B * E, E};
    const Rows h{ws.h(layer, t0) + b0 * N, B * N, N};
    const Rows out{y + b0 * O, B * O, O};
    float* s = ws.s.get() + b0 * N;

    kernels_.matmul(all, u, w.B.forward(), h, false);
    for (int64_t t = 0; t < steps; ++t) {
      float* now = h.data + t * B * N;
      kernels_.matmul(one, {now - B * N, 0, N}, w.A.forward(), {now, 0, N}, true);
      kernels_.swish_forward(now, s + t * B * N, rows * N);
    }
    kernels_.matmul(all, {s, B * N, N}, w.C.forward(), out, false);
    kernels_.matmul(all, u, w.D.forward(), out, true);
  });
}

// In mirrored order. ws.dy holds dy (the last layer's is in ws.logits); on return it holds du.
void CpuBackend::layer_backward(const Weights& any_weights, Workspace& any_workspace, Buffer& grads,
                                int64_t layer, int64_t t0, int64_t t1) const {
  const PackedLayer& w = static_cast<const CpuWeights&>(any_weights).layers[layer];
  auto& ws = static_cast<CpuWorkspace&>(any_workspace);
  const bool last = layer + 1 == ws.L;
  const int64_t B = ws.B, E = ws.E, N = ws.N, O = last ? kVocabSize : E, steps = t1 - t0;
  const float* dy = last ? ws.logits_at(t0) : ws.dy.get();
  float* carried = ws.dh_next.get() + layer * B * N;
  const double flops = 2.0 * static_cast<double>(steps * B * (N + O) * (N + E));

  split(B, flops, [&](int64_t b0, int64_t b1) {
    const int64_t rows = b1 - b0;
    const size_t row_bytes = static_cast<size_t>(rows * N) * sizeof(float);
    const RowGrid all{steps, rows}, one{1, rows};
    const ConstRows out{dy + b0 * O, B * O, O};
    const Rows dh{ws.dh.get() + b0 * N, B * N, N};
    const Rows du{ws.du.get() + b0 * E, B * E, E};
    const float* h = ws.h(layer, t0) + b0 * N;
    float* s = ws.s.get() + b0 * N;

    kernels_.matmul(all, out, w.C.backward(), dh, false);  // ds
    std::memcpy(dh.data + steps * B * N, carried + b0 * N, row_bytes);
    for (int64_t t = steps - 1; t >= 0; --t) {
      float* now = dh.data + t * B * N;
      kernels_.swish_backward(h + t * B * N, s + t * B * N, now, rows * N);
      kernels_.matmul(one, {now + B * N, 0, N}, w.A.backward(), {now, 0, N}, true);
    }
    std::memcpy(carried + b0 * N, dh.data, row_bytes);
    kernels_.matmul(all, out, w.D.backward(), du, false);
    kernels_.matmul(all, {dh.data, B * N, N}, w.B.backward(), du, true);
  });

  const WeightGrad weight_grads[] = {{w.A.tensor, ws.dh.get(), ws.h(layer, t0 - 1)},
                                     {w.B.tensor, ws.dh.get(), ws.u(layer, t0)},
                                     {w.C.tensor, dy, ws.s.get()},
                                     {w.D.tensor, dy, ws.u(layer, t0)}};
  int64_t tiles = 0;
  for (const WeightGrad& weight : weight_grads) tiles += weight.tiles();
  const int64_t positions = steps * B;
  const auto do_tile = [&](int64_t index) {
    const WeightGrad* weight = weight_grads;
    while (index >= weight->tiles()) index -= (weight++)->tiles();
    add_tile(kernels_, *weight, index, positions, data(grads));
  };
  split(tiles, flops, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) do_tile(i);
  });
  std::swap(ws.dy, ws.du);
}

}  // namespace slm
