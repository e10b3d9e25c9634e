// The dense cell: h_t = A h_{t-1} + B u_t, s_t = swish(h_t), y_t = C s_t + D u_t.
#include <cstring>
#include <utility>

#include "cpu/blocks.h"
#include "cpu/cpu_backend.h"

namespace slm {

// Weight gradients are shared out in tiles of this many rows and columns.
constexpr int64_t kTileRows = 64, kTileCols = 64;

// One weight's gradient: dw += sum over positions of dy x^T.
struct WeightGrad {
  const Tensor* tensor;
  const float* dy;  // (positions, rows)
  const float* x;   // (positions, cols)

  int64_t col_tiles() const { return (tensor->cols() + kTileCols - 1) / kTileCols; }
  int64_t tiles() const { return (tensor->rows() + kTileRows - 1) / kTileRows * col_tiles(); }
};

namespace {

// A tile of one weight's gradient, from `positions` positions that start at `first`.
void add_tile(const Kernels& kernels, const WeightGrad& w, int64_t index, int64_t first,
              int64_t positions, float* grads) {
  const int64_t rows = w.tensor->rows(), cols = w.tensor->cols();
  const int64_t i = index / w.col_tiles() * kTileRows, j = index % w.col_tiles() * kTileCols;
  kernels.outer_sum(w.dy + first * rows + i, rows, w.x + first * cols + j, cols, positions,
                    grads + w.tensor->offset + i * cols + j, cols, std::min(kTileRows, rows - i),
                    std::min(kTileCols, cols - j));
}

}  // namespace

void CpuBackend::layer_forward(const Weights& any_weights, Workspace& any_workspace, int64_t layer,
                               int64_t t0, int64_t t1) const {
  const PackedLayer& w = static_cast<const CpuWeights&>(any_weights).layers[layer];
  auto& ws = static_cast<CpuWorkspace&>(any_workspace);
  const bool last = layer + 1 == ws.L;
  const int64_t B = ws.B, E = ws.E, N = ws.N, steps = t1 - t0;
  const Array u{ws.u(layer, t0), B, E}, h{ws.h(layer, t0), B, N}, s{ws.s.get(), B, N};
  const Array y{last ? nullptr : ws.u(layer + 1, t0), B, E};
  const double flops = 2.0 * static_cast<double>(steps * B * (N + (last ? 0 : E)) * (N + E));

  split_layer([&](int64_t n, const auto& f) { split(n, flops, f); }, threads_worth(flops), steps, B,
              [&](const Block& at) {
                kernels_.matmul(at.grid(), u.rows(at), w.B.forward(), h.rows(at), false);
              },
              [&](int64_t b0, int64_t b1) {
                const RowGrid one{1, b1 - b0};
                for (int64_t t = 0; t < steps; ++t) {
                  kernels_.matmul(one, {h.row(t - 1, b0), 0, N}, w.A.forward(),
                                  {h.row(t, b0), 0, N}, true);
                  if (!last) kernels_.swish_forward(h.row(t, b0), s.row(t, b0), (b1 - b0) * N);
                }
              },
              [&](const Block& at) {
                if (last) return;
                kernels_.matmul(at.grid(), s.rows(at), w.C.forward(), y.rows(at), false);
                kernels_.matmul(at.grid(), u.rows(at), w.D.forward(), y.rows(at), true);
              });
}

// In mirrored order. ws.dy holds dy (the last layer's is where head_loss left it); on return, du.
void CpuBackend::layer_backward(const Weights& any_weights, Workspace& any_workspace, Buffer& grads,
                                int64_t layer, int64_t t0, int64_t t1) const {
  const PackedLayer& w = static_cast<const CpuWeights&>(any_weights).layers[layer];
  auto& ws = static_cast<CpuWorkspace&>(any_workspace);
  const bool last = layer + 1 == ws.L;
  const int64_t B = ws.B, E = ws.E, N = ws.N, O = last ? kVocabSize : E, steps = t1 - t0;
  const Array h{ws.h(layer, t0), B, N}, s{ws.s.get(), B, N}, dh{ws.dh.get(), B, N};
  const Array du{ws.du.get(), B, E}, dy{last ? ws.logits.get() : ws.dy.get(), B, O};
  const Array carried{ws.dh_next.get() + layer * B * N, B, N};  // one time step
  const double flops = 2.0 * static_cast<double>(steps * B * (N + O) * (N + E));

  split_layer([&](int64_t n, const auto& f) { split(n, flops, f); }, threads_worth(flops), steps, B,
              [&](const Block& at) {  // ds, in the place of dh
                kernels_.matmul(at.grid(), dy.rows(at), w.C.backward(), dh.rows(at), false);
              },
              [&](int64_t b0, int64_t b1) {
                const int64_t size = (b1 - b0) * N;
                const size_t bytes = static_cast<size_t>(size) * sizeof(float);
                std::memcpy(dh.row(steps, b0), carried.row(0, b0), bytes);
                for (int64_t t = steps - 1; t >= 0; --t) {
                  kernels_.swish_backward(h.row(t, b0), s.row(t, b0), dh.row(t, b0), size);
                  kernels_.matmul({1, b1 - b0}, {dh.row(t + 1, b0), 0, N}, w.A.backward(),
                                  {dh.row(t, b0), 0, N}, true);
                }
                std::memcpy(carried.row(0, b0), dh.row(0, b0), bytes);
              },
              [&](const Block& at) {
                kernels_.matmul(at.grid(), dy.rows(at), w.D.backward(), du.rows(at), false);
                kernels_.matmul(at.grid(), dh.rows(at), w.B.backward(), du.rows(at), true);
              });
  add_weight_gradients({{w.A.tensor, dh.data, h.row(-1, 0)},
                        {w.B.tensor, dh.data, ws.u(layer, t0)},
                        {w.C.tensor, dy.data, s.data},
                        {w.D.tensor, dy.data, ws.u(layer, t0)}},
                       steps * B, flops, data(grads));
  std::swap(ws.dy, ws.du);
}

// Sums of at most kChunkPositions terms are formed first and then added, which keeps the rounding
// of a sum over a million positions small.
void CpuBackend::add_weight_gradients(std::initializer_list<WeightGrad> weights, int64_t positions,
                                      double flops, float* grads) const {
  int64_t tiles = 0;
  for (const WeightGrad& weight : weights) tiles += weight.tiles();
  split(tiles, flops, [&](int64_t begin, int64_t end) {
    for (int64_t r = 0; r < positions; r += kChunkPositions)
      for (int64_t i = begin; i < end; ++i) {
        const WeightGrad* weight = weights.begin();
        int64_t index = i;
        while (index >= weight->tiles()) index -= (weight++)->tiles();
        add_tile(kernels_, *weight, index, r, std::min(kChunkPositions, positions - r), grads);
      }
  });
}

}  // namespace slm
