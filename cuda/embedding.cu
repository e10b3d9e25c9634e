// The embedding e_t = W_E[x_t]: a gather forward, a scatter backward. The scatter has no atomics: a
// block owns columns of one row of the table and searches the tokens for its byte, in chunks of
// kChunkPositions. So every sum has the CPU's order and bits. All blocks read all tokens, but a
// token is one byte where its gradient is 4 E, and stays in the cache.
#include "backend.cuh"

namespace slm {
namespace {

constexpr int kThreads = 128;                           // of a block: columns of the table
constexpr int kPerThread = kChunkPositions / kThreads;  // tokens that a thread searches in a chunk
constexpr int kWarpSize = 32;
constexpr unsigned kAllLanes = 0xFFFFFFFF;

// One block per position.
__global__ void gather_rows(const float* table, const uint8_t* tokens, Drop drop, int64_t E,
                            float* u) {
  const float* row = table + tokens[blockIdx.x] * E;
  for (int64_t e = threadIdx.x; e < E; e += kThreads)
    u[blockIdx.x * E + e] = drop(blockIdx.x, e, row[e]);
}

// With n-grams or matches, those that are dropped have no row, and all values are scaled.
__global__ void drop_rows(const float* dy, Drop drop, bool has_ngrams, int64_t E, float* dn) {
  for (int64_t e = threadIdx.x; e < E; e += kThreads) {
    const int64_t i = blockIdx.x * E + e;
    dn[i] = has_ngrams ? dy[i] * drop.scale() : drop(blockIdx.x, e, dy[i]);
  }
}

// Exclusive prefix sum of `count` over the threads of a block, and its total. The block needs
// another barrier before the next call.
__device__ int sum_before(int count, int& total) {
  __shared__ int warp_sums[kThreads / kWarpSize];
  const int lane = threadIdx.x % kWarpSize, warp = threadIdx.x / kWarpSize;
  int sum = count;
  for (int distance = 1; distance < kWarpSize; distance *= 2) {
    const int below = __shfl_up_sync(kAllLanes, sum, distance);
    if (lane >= distance) sum += below;
  }
  if (lane == kWarpSize - 1) warp_sums[warp] = sum;
  __syncthreads();
  total = 0;
  for (int w = 0; w < kThreads / kWarpSize; ++w) {
    if (w == warp) sum += total;
    total += warp_sums[w];
  }
  return sum - count;
}

// Block (v, i) adds the gradients of byte v to columns [i, i + 1) kThreads of its row.
__global__ void scatter_rows(const float* dy, const uint8_t* tokens, int64_t positions, int64_t E,
                             float* table) {
  __shared__ int matches[kChunkPositions];  // positions in the chunk that have the byte, rising
  const unsigned v = blockIdx.x;
  const int64_t e = int64_t{blockIdx.y} * kThreads + threadIdx.x;
  float total = e < E ? table[v * E + e] : 0.0f;
  for (int64_t chunk = 0; chunk < positions; chunk += kChunkPositions) {
    bool found[kPerThread];
    const int first = threadIdx.x * kPerThread;
    int count = 0;
    for (int i = 0; i < kPerThread; ++i) {
      const int64_t r = chunk + first + i;
      found[i] = r < positions && tokens[r] == v;
      count += found[i];
    }
    int found_in_chunk;
    int at = sum_before(count, found_in_chunk);
    for (int i = 0; i < kPerThread; ++i)
      if (found[i]) matches[at++] = first + i;
    __syncthreads();
    if (e >= E || found_in_chunk == 0) continue;
    float sum = 0;
    for (int i = 0; i < found_in_chunk; ++i) sum += dy[(chunk + matches[i]) * E + e];
    total += sum;
  }
  if (e < E) table[v * E + e] = total;
}

}  // namespace

// In a model with n-grams or matches, dropout applies to their sum alone.
void CudaBackend::embed_forward(const Weights& any_weights, Workspace& any_workspace, int64_t t0,
                                int64_t t1) const {
  const auto& weights = static_cast<const CudaWeights&>(any_weights);
  auto& ws = static_cast<CudaWorkspace&>(any_workspace);
  const int64_t first = t0 * ws.B, positions = (t1 - t0) * ws.B;
  const bool has_ngrams = ws.ngrams.orders > 0;
  const Drop drop = ws.drop(first);
  launch(stream_, num_blocks(positions, 1), kThreads, gather_rows,
         device_data(weights.values) + weights.embedding, ws.tokens.get() + first,
         has_ngrams ? Drop() : drop, ws.E, device_data(ws.u) + first * ws.E);
  if (has_ngrams) add_ngrams(weights, ws, drop, first, positions);
  ws.computed = t1;
}

void CudaBackend::embed_backward(const Weights& any_weights, Workspace& any_workspace,
                                 Gradients& any_gradients, int64_t t0, int64_t t1) const {
  const auto& weights = static_cast<const CudaWeights&>(any_weights);
  auto& ws = static_cast<CudaWorkspace&>(any_workspace);
  auto& gradients = static_cast<CudaGradients&>(any_gradients);
  const int64_t first = t0 * ws.B, positions = (t1 - t0) * ws.B;
  const bool has_ngrams = ws.ngrams.orders > 0;
  const float* de = device_data(ws.dy) + first * ws.E;
  const float* dropped = de;
  if (ws.dropout.rate > 0) {
    float* dn = device_data(ws.dn) + first * ws.E;
    launch(stream_, num_blocks(positions, 1), kThreads, drop_rows, de, ws.drop(first), has_ngrams,
           ws.E, dn);
    dropped = dn;
  }
  launch(stream_, dim3(kVocabSize, num_blocks(ws.E, kThreads)), kThreads, scatter_rows,
         has_ngrams ? de : dropped, ws.tokens.get() + first, positions, ws.E,
         gradients.values.get() + weights.embedding);
  if (has_ngrams) ngrams_backward(weights, ws, gradients, dropped, first, positions);
}

}  // namespace slm
