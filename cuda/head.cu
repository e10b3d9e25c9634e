// The head: logits, softmax and cross-entropy over the V = 256 bytes, and back (docs/model.md).
//
//   u, v          (T, B, E)  output of the last layer; its norm, with locked dropout
//   logits        (T, B, V)  then their gradient, softmax(logits) - onehot(target), scaled
//   W_head (V, E), b (V,)
//
//   logits = W_head norm(u) (+ b);  without a head, of the last layer: logits = C swish(h) + D u
#include "backend.cuh"
#include "sums.cuh"
#include "warp.cuh"

namespace slm {
namespace {

constexpr int kThreads = 256;
constexpr int kRowsPerBlock = kThreads / kWarpSize;
constexpr int kPerLane = kVocabSize / kWarpSize;
constexpr int kRowsPerSum = 16;  // at least, of a block of sum_logit_gradients
static_assert(kThreads == kVocabSize);

// One block per row.
__global__ void copy_bias(const float* bias, float* logits) {
  logits[int64_t{blockIdx.x} * kVocabSize + threadIdx.x] = bias[threadIdx.x];
}

// Each block has a range of the rows, and writes their sum to its row of `sums`.
__global__ void sum_logit_gradients(const float* d, int64_t rows, float* sums) {
  const int64_t begin = rows * blockIdx.x / gridDim.x, end = rows * (blockIdx.x + 1) / gridDim.x;
  float sum = 0;
  for (int64_t r = begin; r < end; ++r) sum += d[r * kVocabSize + threadIdx.x];
  sums[int64_t{blockIdx.x} * kVocabSize + threadIdx.x] = sum;
}

// One warp per row, which it reads once and keeps in registers. In training, the logits are
// replaced by their gradient.
__global__ void softmax_loss(float* logits, const uint8_t* targets, int64_t rows, float scale,
                             bool training, float* losses) {
  const int64_t row = int64_t{blockIdx.x} * kRowsPerBlock + threadIdx.x / kWarpSize;
  const int lane = static_cast<int>(threadIdx.x % kWarpSize);
  if (row >= rows) return;  // all of its warp
  logits += row * kVocabSize;
  float x[kPerLane], p[kPerLane];
  for (int i = 0; i < kPerLane; ++i) x[i] = logits[i * kWarpSize + lane];
  float largest = x[0];
  for (int i = 1; i < kPerLane; ++i) largest = fmaxf(largest, x[i]);
  for (int mask = kWarpSize / 2; mask > 0; mask /= 2)
    largest = fmaxf(largest, __shfl_xor_sync(kAllLanes, largest, mask));
  float total = 0;
  for (int i = 0; i < kPerLane; ++i) {
    p[i] = expf(x[i] - largest);
    total += p[i];
  }
  total = warp_sum(total);
  const int target = targets[row];
  for (int i = 0; i < kPerLane; ++i) {
    const bool hit = i * kWarpSize + lane == target;
    if (hit)
      losses[row] = static_cast<float>(log(double{total}) - (double{x[i]} - double{largest}));
    if (training) logits[i * kWarpSize + lane] = (p[i] / total - (hit ? 1.0f : 0.0f)) * scale;
  }
}

// One block adds the losses to `total`, in an order that depends on n alone.
__global__ void sum_losses(const float* losses, int64_t n, double* total) {
  __shared__ double partial[kThreads];
  double sum = 0;
  for (int64_t i = threadIdx.x; i < n; i += kThreads) sum += double{losses[i]};
  sum = block_sum<kThreads>(sum, partial);
  if (threadIdx.x == 0) *total += sum;
}

}  // namespace

void CudaBackend::head_logits(const Weights& any_weights, Workspace& any_workspace, int64_t t0,
                              int64_t t1) const {
  const auto& weights = static_cast<const CudaWeights&>(any_weights);
  auto& ws = static_cast<CudaWorkspace&>(any_workspace);
  const int64_t E = ws.E, N = ws.N, positions = (t1 - t0) * ws.B;
  float* logits = device_data(ws.logits);
  if (weights.head != nullptr) {
    const float *u = ws.u_at(ws.L, t0), *norm = weights.at(weights.norm);
    float* v = ws.row_of(ws.v, t0, E);
    if (norm != nullptr) norm_forward(ws, norm, ws.mask(ws.L), u, positions, v);
    const float* bias = weights.at(weights.head_bias);
    if (bias != nullptr)
      launch(stream_, static_cast<unsigned>(positions), kThreads, copy_bias, bias, logits);
    gemm_(positions, kVocabSize, E, {norm != nullptr ? v : u, E},
          {weights.at(weights.head), E, Op::transpose}, bias != nullptr ? 1.0f : 0.0f, logits,
          kVocabSize);
    return;
  }
  const CudaLayerChunk r(weights, ws, ws.L - 1, t0, t1);
  const LayerTensors& w = weights.layers.back();
  swish(r.h, positions * N, r.s);
  gemm_(positions, kVocabSize, N, {r.s, N}, {weights.at(w.C), N, Op::transpose}, 0, logits,
        kVocabSize);
  gemm_(positions, kVocabSize, E, {r.v, E}, {weights.at(w.D), E, Op::transpose}, 1, logits,
        kVocabSize);
}

void CudaBackend::head_loss(const Weights& weights, Workspace& any_workspace, int64_t t0,
                            int64_t t1, float scale) const {
  auto& ws = static_cast<CudaWorkspace&>(any_workspace);
  const int64_t first = t0 * ws.B, positions = (t1 - t0) * ws.B;
  head_logits(weights, ws, t0, t1);
  launch(stream_, num_blocks(positions, kRowsPerBlock), kThreads, softmax_loss,
         device_data(ws.logits), ws.targets.get() + first, positions, scale, ws.shape.training,
         device_data(ws.losses) + first);
}

// ws.v still holds what head_loss multiplied by W_head.
void CudaBackend::head_backward(const Weights& any_weights, Workspace& any_workspace,
                                Gradients& any_gradients, int64_t t0, int64_t t1) const {
  const auto& weights = static_cast<const CudaWeights&>(any_weights);
  auto& ws = static_cast<CudaWorkspace&>(any_workspace);
  auto& gradients = static_cast<CudaGradients&>(any_gradients);
  const int64_t E = ws.E, positions = (t1 - t0) * ws.B;
  const float *u = ws.u_at(ws.L, t0), *norm = weights.at(weights.norm);
  const float *v = norm != nullptr ? ws.row_of(ws.v, t0, E) : u, *d = device_data(ws.logits);
  float *dy = ws.row_of(ws.dy, t0, E), *dv = norm != nullptr ? ws.row_of(ws.dv, t0, E) : dy;
  gemm_(positions, E, kVocabSize, {d, kVocabSize}, {weights.at(weights.head), E}, 0, dv, E);
  gemm_(kVocabSize, E, positions, {d, kVocabSize, Op::transpose}, {v, E}, 1,
        gradients.at(weights.head), E);
  if (weights.head_bias != nullptr) {
    const unsigned blocks = std::min<unsigned>(kSumBlocks, num_blocks(positions, kRowsPerSum));
    float* sums = device_data(ws.block_sums);
    launch(stream_, blocks, kThreads, sum_logit_gradients, d, positions, sums);
    add_columns(sums, blocks, kVocabSize, gradients.at(weights.head_bias));
  }
  if (norm == nullptr) return;
  norm_backward(ws, norm, ws.mask(ws.L), u, dv, nullptr, positions, dy, gradients.at(weights.norm));
}

void CudaBackend::read_logits(const Workspace& any_workspace, int64_t count, float* out) const {
  const auto& ws = static_cast<const CudaWorkspace&>(any_workspace);
  read(ws.logits, 0, count * kVocabSize, out);
}

void CudaBackend::read_losses(const Workspace& any_workspace, int64_t t0, int64_t t1,
                              float* out) const {
  const auto& ws = static_cast<const CudaWorkspace&>(any_workspace);
  read(ws.losses, t0 * ws.B, (t1 - t0) * ws.B, out);
}

void CudaBackend::add_losses(const Workspace& any_workspace, int64_t t0, int64_t t1,
                             Gradients& gradients) const {
  const auto& ws = static_cast<const CudaWorkspace&>(any_workspace);
  launch(stream_, 1, kThreads, sum_losses, device_data(ws.losses) + t0 * ws.B, (t1 - t0) * ws.B,
         static_cast<CudaGradients&>(gradients).loss.get());
}

}  // namespace slm
