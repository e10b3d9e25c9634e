// The gated cell: [f, z, g] = W_in v + b, a = σ(f), h_t = a h_{t-1} + (1 - a) z, s = h swish(g),
// y = W_out s.
//
// Channels do not mix in the recurrence, so that a step of it is a map h -> keep h + add of one
// number, and so are several steps together. A block has 32 channels, one to a lane, and goes
// through time in tiles; in a tile each of its warps has a piece of a few steps. A warp reads its
// piece into registers and makes one map of it; the maps of the warps before it, passed through
// shared memory, say what its piece starts from; then it goes through the piece once more. Memory
// is read once, with all loads of a piece under way together, and a tile waits for one barrier.
// Back in time it is the same with dh. A time step after the last has f = ∞, so that nothing
// changes.
//
// `gates` is W_in v: the bias is added where gates are read.
#include <algorithm>

#include "backend.cuh"
#include "swish.cuh"
#include "warp.cuh"

namespace slm {
namespace {

constexpr int kPieceSteps = 8;  // in registers
constexpr int kMaxPieces = 16;  // warps of a block
constexpr int kScanThreads = kMaxPieces * kWarpSize;

// A lane's channel, of B N: where its values are in a time step of h and s, and of gates.
struct Channel {
  __device__ Channel(const float* bias, int64_t channels, int64_t N)
      : index(int64_t{blockIdx.x} * kWarpSize + threadIdx.x % kWarpSize),
        exists(index < channels),
        gate(index / N * 3 * N + index % N) {
    if (!exists) return;
    bias_f = bias[index % N];
    bias_z = bias[N + index % N];
    bias_g = bias[2 * N + index % N];
  }

  int64_t index;
  bool exists;  // lanes past the last channel go along, with no time steps
  int64_t gate;
  float bias_f = 0, bias_z = 0, bias_g = 0;
};

// What a piece of time makes of a state h: keep h + add.
struct Piece {
  float keep, add;
};

// The state that this thread's piece starts from, where the first piece of the tile starts from
// `carried`; that becomes what the last one ends in. Pieces follow each other as warps do. Calls
// have to take turns with the two halves of the shared memory, so that none overwrites what others
// still read for the call before.
__device__ float start_of_piece(const Piece& own, int turn, float& carried) {
  __shared__ Piece pieces[2][kMaxPieces][kWarpSize];
  const unsigned lane = threadIdx.x % kWarpSize, warp = threadIdx.x / kWarpSize;
  pieces[turn][warp][lane] = own;
  __syncthreads();
  float start = carried;
  for (unsigned i = 0; i < blockDim.x / kWarpSize; ++i) {
    if (i == warp) start = carried;
    carried = fmaf(pieces[turn][i][lane].keep, carried, pieces[turn][i][lane].add);
  }
  return start;
}

// h begins with the state before the range; (1 + steps, channels).
__global__ void __launch_bounds__(kScanThreads)
    scan_forward(const float* gates, const float* bias, int64_t steps, int64_t channels, int64_t N,
                 float* h, float* s) {
  const Channel channel(bias, channels, N);
  const int64_t end = channel.exists ? steps : 0, tile_steps = blockDim.x / kWarpSize * kPieceSteps;
  float carried = channel.exists ? h[channel.index] : 0.0f;
  int turn = 0;
  for (int64_t tile = 0; tile < steps; tile += tile_steps, turn = 1 - turn) {
    const int64_t first = tile + threadIdx.x / kWarpSize * kPieceSteps;
    float f[kPieceSteps], z[kPieceSteps], g[kPieceSteps];
    for (int i = 0; i < kPieceSteps; ++i) {
      const bool there = first + i < end;
      const int64_t gate = (first + i) * 3 * channels + channel.gate;
      f[i] = there ? gates[gate] : INFINITY;
      z[i] = there ? gates[gate + N] : 0.0f;
      g[i] = there ? gates[gate + 2 * N] : 0.0f;
    }
    float a[kPieceSteps], input[kPieceSteps];
    Piece piece{1, 0};
    for (int i = 0; i < kPieceSteps; ++i) {
      a[i] = sigmoid(f[i] + channel.bias_f);
      input[i] = (1.0f - a[i]) * (z[i] + channel.bias_z);
      piece.keep *= a[i];
      piece.add = fmaf(a[i], piece.add, input[i]);
    }
    float now = start_of_piece(piece, turn, carried);
    for (int i = 0; i < kPieceSteps; ++i) {
      if (first + i >= end) break;
      now = fmaf(a[i], now, input[i]);
      h[(first + i + 1) * channels + channel.index] = now;
      s[(first + i) * channels + channel.index] = now * Swish(g[i] + channel.bias_g).value;
    }
  }
}

// The sum of the pieces' x, in their order, by the first warp alone.
__device__ float sum_of_pieces(float x) {
  __shared__ float sums[kMaxPieces][kWarpSize];
  const unsigned lane = threadIdx.x % kWarpSize, warp = threadIdx.x / kWarpSize;
  __syncthreads();
  sums[warp][lane] = x;
  __syncthreads();
  if (warp != 0) return 0;
  for (unsigned i = 1; i < blockDim.x / kWarpSize; ++i) x += sums[i][lane];
  return x;
}

// In falling time. With w = swish(g) and dh = ds w + what the next time step passes on:
//   dg = ds h w',  df = dh (h_before − z) a (1 − a),  dz = dh (1 − a),  and dh a is passed on.
// `carried_dh` is what the range's last time step is passed, and then what its first one passes on.
// `sums`, (B, 3N), gets the sums of d_gates over the range.
__global__ void __launch_bounds__(kScanThreads)
    scan_backward(const float* gates, const float* bias, const float* h, const float* ds,
                  int64_t steps, int64_t channels, int64_t N, float* carried_dh, float* s,
                  float* d_gates, float* sums) {
  const Channel channel(bias, channels, N);
  const int64_t end = channel.exists ? steps : 0, tile_steps = blockDim.x / kWarpSize * kPieceSteps;
  float carried = channel.exists ? carried_dh[channel.index] : 0.0f;
  float sum_f = 0, sum_z = 0, sum_g = 0;
  int turn = 0;
  for (int64_t tile = 0; tile < steps; tile += tile_steps, turn = 1 - turn) {
    const int64_t first = tile + threadIdx.x / kWarpSize * kPieceSteps;  // counted from the end
    float f[kPieceSteps], z[kPieceSteps], g[kPieceSteps], d_out[kPieceSteps], hs[kPieceSteps + 1];
    hs[0] = first < end ? h[(steps - first) * channels + channel.index] : 0.0f;
    for (int i = 0; i < kPieceSteps; ++i) {
      const bool there = first + i < end;
      const int64_t t = steps - 1 - (first + i), at = t * channels + channel.index;
      const int64_t gate = t * 3 * channels + channel.gate;
      f[i] = there ? gates[gate] : INFINITY;
      z[i] = there ? gates[gate + N] : 0.0f;
      g[i] = there ? gates[gate + 2 * N] : 0.0f;
      d_out[i] = there ? ds[at] : 0.0f;
      hs[i + 1] = there ? h[at] : 0.0f;
    }
    float a[kPieceSteps], input[kPieceSteps];
    Piece piece{1, 0};
    for (int i = 0; i < kPieceSteps; ++i) {
      a[i] = sigmoid(f[i] + channel.bias_f);
      input[i] = d_out[i] * Swish(g[i] + channel.bias_g).value;
      piece.keep *= a[i];
      piece.add = a[i] * (piece.add + input[i]);
    }
    float dh = start_of_piece(piece, turn, carried);
    for (int i = 0; i < kPieceSteps; ++i) {
      if (first + i >= end) break;
      const int64_t t = steps - 1 - (first + i), gate = t * 3 * channels + channel.gate;
      const Swish out(g[i] + channel.bias_g);
      dh += input[i];
      const float d_z = dh * (1.0f - a[i]);
      const float d_f = (hs[i + 1] - (z[i] + channel.bias_z)) * (a[i] * d_z);
      const float d_g = d_out[i] * hs[i] * out.derivative();
      s[t * channels + channel.index] = hs[i] * out.value;
      d_gates[gate] = d_f;
      d_gates[gate + N] = d_z;
      d_gates[gate + 2 * N] = d_g;
      sum_f += d_f;
      sum_z += d_z;
      sum_g += d_g;
      dh *= a[i];
    }
  }
  sum_f = sum_of_pieces(sum_f);
  sum_z = sum_of_pieces(sum_z);
  sum_g = sum_of_pieces(sum_g);
  if (!channel.exists || threadIdx.x >= kWarpSize) return;
  sums[channel.gate] = sum_f;
  sums[channel.gate + N] = sum_z;
  sums[channel.gate + 2 * N] = sum_g;
  carried_dh[channel.index] = carried;
}

// A warp for every piece; one in generation.
unsigned scan_threads(int64_t steps) {
  return std::min<unsigned>(kMaxPieces, num_blocks(steps, kPieceSteps)) * kWarpSize;
}

}  // namespace

void CudaBackend::gated_forward(const CudaWeights& weights, const LayerTensors& tensors,
                                CudaWorkspace& ws, const LayerChunk& p) const {
  const int64_t E = p.E, N = p.N, channels = p.B * N;
  float* gates = ws.gates_at(p.layer, p.t0);
  gemm_(p.positions, 3 * N, E, {p.v, E}, {weights.at(tensors.in), E, Op::transpose}, 0, gates,
        3 * N);
  launch(stream_, num_blocks(channels, kWarpSize), scan_threads(p.steps), scan_forward, gates,
         weights.at(tensors.in_bias), p.steps, channels, N, p.h - channels, p.s);
  gemm_(p.positions, E, N, {p.s, N}, {weights.at(tensors.out), N, Op::transpose},
        p.residual ? 1.0f : 0.0f, p.y, E);
}

// In mirrored order. ds lies in the place of dh, which the scan keeps in registers.
void CudaBackend::gated_backward(const CudaWeights& weights, const LayerTensors& tensors,
                                 CudaWorkspace& ws, CudaGradients& gradients, const LayerChunk& p,
                                 const LayerChunkGradients& back) const {
  const int64_t E = p.E, N = p.N, channels = p.B * N;
  float* d_gates = ws.row_of(ws.d_gates, p.t0, 3 * N);
  float* sums = device_data(ws.block_sums);
  gemm_(p.positions, N, E, {back.dy, E}, {weights.at(tensors.out), N}, 0, back.dh, N);
  launch(stream_, num_blocks(channels, kWarpSize), scan_threads(p.steps), scan_backward,
         ws.gates_at(p.layer, p.t0), weights.at(tensors.in_bias), p.h - channels, back.dh, p.steps,
         channels, N, back.carried, p.s, d_gates, sums);
  add_columns(sums, p.B, 3 * N, gradients.at(tensors.in_bias));
  gemm_(E, N, p.positions, {back.dy, E, Op::transpose}, {p.s, N}, 1, gradients.at(tensors.out), N);
  gemm_(3 * N, E, p.positions, {d_gates, 3 * N, Op::transpose}, {p.v, E}, 1,
        gradients.at(tensors.in), E);
  gemm_(p.positions, E, 3 * N, {d_gates, 3 * N}, {weights.at(tensors.in), E},
        back.dx_begun ? 1.0f : 0.0f, back.dx, E);
}

}  // namespace slm
