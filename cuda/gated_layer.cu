// The gated cell over a range of time, forward and in mirrored order backward (docs/model.md).
//
//   u, v, y       (T, B, E)  input; its norm, with locked dropout; output
//   f, z, g       (T, B, N)  gates without their bias, in one array (T, B, 3N)
//   h, s          (T, B, N)  state; what the output is made of
//   W_in (3N, E), b (3N,), W_out (E, N)
//
//   f, z, g = W_in norm(u)                                  project
//   for t: a = σ(f_t + b_f)                                 scan
//          h_t = a h_{t-1} + (1 - a) (z_t + b_z)
//          s_t = h_t swish(g_t + b_g)                     (h_{t-1} = 0 where a text starts)
//   y = W_out s (+ u)                                       output
//
// The scan is parallel over time. Channels do not mix, so a time step is an affine map
// h -> scale h + shift, and so are several steps together. A block has 32 channels, one to a lane,
// and goes through time in tiles, of which each of its warps has a few steps. A warp reads its
// steps into registers and composes their maps; the maps of the warps before it, in shared memory,
// give the state that its steps start from; then it goes through them once more. So memory is read
// once, with all loads of a warp in flight together, and a tile waits for one barrier. The scan of
// dh runs the same way in falling time. A time step after the last has f = ∞, which changes
// nothing; one at which a text starts has a scale of 0.
#include <algorithm>

#include "backend.cuh"
#include "swish.cuh"
#include "warp.cuh"

namespace slm {
namespace {

constexpr int kWarpSteps = 8;  // time steps of a warp in a tile, in registers
constexpr int kMaxWarps = 16;  // of a block
constexpr int kScanThreads = kMaxWarps * kWarpSize;

// The channel of a lane, one of B N: where its values are in a time step of h and s, and of gates.
struct Channel {
  __device__ Channel(const float* bias, int64_t channels, int64_t N)
      : index(int64_t{blockIdx.x} * kWarpSize + threadIdx.x % kWarpSize),
        exists(index < channels),
        row(index / N),
        gate(row * 3 * N + index % N) {
    if (!exists) return;
    bias_f = bias[index % N];
    bias_z = bias[N + index % N];
    bias_g = bias[2 * N + index % N];
  }

  int64_t index;
  bool exists;  // lanes past the last channel go along, with no time steps
  int64_t row;  // of the batch
  int64_t gate;
  float bias_f = 0, bias_z = 0, bias_g = 0;
};

// The effect of some time steps on a state h: scale h + shift.
struct AffineMap {
  float scale, shift;
};

// The state before this warp's steps, where `carried` is the state before the tile; that becomes
// the state after the tile. Warps are in the order of time. Calls have to alternate between the two
// halves of the shared memory (`turn`), so that none overwrites what others still read for the call
// before.
__device__ float start_state(const AffineMap& own, int turn, float& carried) {
  __shared__ AffineMap maps[2][kMaxWarps][kWarpSize];
  const unsigned lane = threadIdx.x % kWarpSize, warp = threadIdx.x / kWarpSize;
  maps[turn][warp][lane] = own;
  __syncthreads();
  float start = carried;
  for (unsigned i = 0; i < blockDim.x / kWarpSize; ++i) {
    if (i == warp) start = carried;
    carried = fmaf(maps[turn][i][lane].scale, carried, maps[turn][i][lane].shift);
  }
  return start;
}

// h begins with the state before the range; (1 + steps, channels).
__global__ void __launch_bounds__(kScanThreads)
    scan_forward(const float* gates, const float* bias, Starts starts, int64_t steps,
                 int64_t channels, int64_t N, float* h, float* s) {
  const Channel channel(bias, channels, N);
  const int64_t end = channel.exists ? steps : 0, tile_steps = blockDim.x / kWarpSize * kWarpSteps;
  float carried = channel.exists ? h[channel.index] : 0.0f;
  int turn = 0;
  for (int64_t tile = 0; tile < steps; tile += tile_steps, turn = 1 - turn) {
    const int64_t first = tile + threadIdx.x / kWarpSize * kWarpSteps;
    float f[kWarpSteps], z[kWarpSteps], g[kWarpSteps];
    bool cuts[kWarpSteps];  // whether h_{t-1} is 0
    for (int i = 0; i < kWarpSteps; ++i) {
      const bool there = first + i < end;
      cuts[i] = there && starts.at(first + i, channel.row);
      const int64_t gate = (first + i) * 3 * channels + channel.gate;
      f[i] = there ? gates[gate] : INFINITY;
      z[i] = there ? gates[gate + N] : 0.0f;
      g[i] = there ? gates[gate + 2 * N] : 0.0f;
    }
    float scale[kWarpSteps], input[kWarpSteps];
    AffineMap map{1, 0};
    for (int i = 0; i < kWarpSteps; ++i) {
      const float a = sigmoid(f[i] + channel.bias_f);
      input[i] = (1.0f - a) * (z[i] + channel.bias_z);
      scale[i] = cuts[i] ? 0.0f : a;
      map.scale *= scale[i];
      map.shift = fmaf(scale[i], map.shift, input[i]);
    }
    float now = start_state(map, turn, carried);
    for (int i = 0; i < kWarpSteps; ++i) {
      if (first + i >= end) break;
      now = fmaf(scale[i], now, input[i]);
      h[(first + i + 1) * channels + channel.index] = now;
      s[(first + i) * channels + channel.index] = now * Swish(g[i] + channel.bias_g).value;
    }
  }
}

// The sum of the warps' x, in their order, by the first warp alone.
__device__ float sum_over_warps(float x) {
  __shared__ float sums[kMaxWarps][kWarpSize];
  const unsigned lane = threadIdx.x % kWarpSize, warp = threadIdx.x / kWarpSize;
  __syncthreads();
  sums[warp][lane] = x;
  __syncthreads();
  if (warp != 0) return 0;
  for (unsigned i = 1; i < blockDim.x / kWarpSize; ++i) x += sums[i][lane];
  return x;
}

// In falling time, with w = swish(g):
//   dh_t = ds_t w + a_{t+1} dh_{t+1}                       (the latter 0 where a text starts)
//   dg = ds h w',  df = dh (h_{t-1} − z) a (1 − a),  dz = dh (1 − a)
// `carried_dh` holds a dh of the time step after the range, and afterwards of its first time step.
// `sums`, (B, 3N), gets the sums of d_gates over the range.
__global__ void __launch_bounds__(kScanThreads)
    scan_backward(const float* gates, const float* bias, Starts starts, const float* h,
                  const float* ds, int64_t steps, int64_t channels, int64_t N, float* carried_dh,
                  float* s, float* d_gates, float* sums) {
  const Channel channel(bias, channels, N);
  const int64_t end = channel.exists ? steps : 0, tile_steps = blockDim.x / kWarpSize * kWarpSteps;
  float carried = channel.exists ? carried_dh[channel.index] : 0.0f;
  float sum_f = 0, sum_z = 0, sum_g = 0;
  int turn = 0;
  for (int64_t tile = 0; tile < steps; tile += tile_steps, turn = 1 - turn) {
    const int64_t first = tile + threadIdx.x / kWarpSize * kWarpSteps;  // counted from the end
    float f[kWarpSteps], z[kWarpSteps], g[kWarpSteps], d_out[kWarpSteps], hs[kWarpSteps + 1];
    bool cuts[kWarpSteps];
    hs[0] = first < end ? h[(steps - first) * channels + channel.index] : 0.0f;
    for (int i = 0; i < kWarpSteps; ++i) {
      const bool there = first + i < end;
      const int64_t t = steps - 1 - (first + i), at = t * channels + channel.index;
      const int64_t gate = t * 3 * channels + channel.gate;
      f[i] = there ? gates[gate] : INFINITY;
      z[i] = there ? gates[gate + N] : 0.0f;
      g[i] = there ? gates[gate + 2 * N] : 0.0f;
      cuts[i] = there && starts.at(t, channel.row);
      d_out[i] = there ? ds[at] : 0.0f;
      hs[i + 1] = there ? h[at] : 0.0f;
    }
    float a[kWarpSteps], input[kWarpSteps];
    AffineMap map{1, 0};
    for (int i = 0; i < kWarpSteps; ++i) {
      a[i] = sigmoid(f[i] + channel.bias_f);
      input[i] = d_out[i] * Swish(g[i] + channel.bias_g).value;
      map.scale *= cuts[i] ? 0.0f : a[i];
      map.shift = cuts[i] ? 0.0f : a[i] * (map.shift + input[i]);
    }
    float dh = start_state(map, turn, carried);
    for (int i = 0; i < kWarpSteps; ++i) {
      if (first + i >= end) break;
      const int64_t t = steps - 1 - (first + i), gate = t * 3 * channels + channel.gate;
      const Swish out(g[i] + channel.bias_g);
      dh += input[i];
      const float d_z = dh * (1.0f - a[i]);
      const float before = cuts[i] ? 0.0f : hs[i + 1];
      const float d_f = (before - (z[i] + channel.bias_z)) * (a[i] * d_z);
      const float d_g = d_out[i] * hs[i] * out.derivative();
      s[t * channels + channel.index] = hs[i] * out.value;
      d_gates[gate] = d_f;
      d_gates[gate + N] = d_z;
      d_gates[gate + 2 * N] = d_g;
      sum_f += d_f;
      sum_z += d_z;
      sum_g += d_g;
      dh *= cuts[i] ? 0.0f : a[i];
    }
  }
  sum_f = sum_over_warps(sum_f);
  sum_z = sum_over_warps(sum_z);
  sum_g = sum_over_warps(sum_g);
  if (!channel.exists || threadIdx.x >= kWarpSize) return;
  sums[channel.gate] = sum_f;
  sums[channel.gate + N] = sum_z;
  sums[channel.gate + 2 * N] = sum_g;
  carried_dh[channel.index] = carried;
}

// As many warps as the range has steps for; one in generation.
unsigned scan_threads(int64_t steps) {
  return std::min<unsigned>(kMaxWarps, num_blocks(steps, kWarpSteps)) * kWarpSize;
}

}  // namespace

void CudaBackend::gated_forward(CudaWorkspace& ws, const CudaLayerChunk& c) const {
  const int64_t E = c.E, N = c.N, channels = c.B * N;
  const float *w_in = c.weights.at(c.w.in), *bias = c.weights.at(c.w.in_bias);
  float* gates = ws.gates_at(c.layer, c.t0);
  // project: gates = W_in v
  gemm_(c.positions, 3 * N, E, {c.v, E}, {w_in, E, Op::transpose}, 0, gates, 3 * N);
  // scan: h and s
  launch(stream_, num_blocks(channels, kWarpSize), scan_threads(c.steps), scan_forward, gates, bias,
         c.starts, c.steps, channels, N, c.h - channels, c.s);
  // output: y = W_out s (+ u)
  gemm_(c.positions, E, N, {c.s, N}, {c.weights.at(c.w.out), N, Op::transpose},
        c.residual ? 1.0f : 0.0f, c.y, E);
}

// ds takes the place of dh, which the scan keeps in registers.
void CudaBackend::gated_backward(CudaWorkspace& ws, CudaGradients& gradients,
                                 const CudaLayerChunk& c, const CudaChunkGradients& d) const {
  const int64_t E = c.E, N = c.N, channels = c.B * N;
  const float *w_in = c.weights.at(c.w.in), *bias = c.weights.at(c.w.in_bias);
  float* d_gates = ws.row_of(ws.d_gates, c.t0, 3 * N);
  float* sums = device_data(ws.block_sums);
  // grad_output: ds = W_outᵀ dy
  gemm_(c.positions, N, E, {d.dy, E}, {c.weights.at(c.w.out), N}, 0, d.dh, N);
  // scan_reverse: d_gates, and s again
  launch(stream_, num_blocks(channels, kWarpSize), scan_threads(c.steps), scan_backward,
         ws.gates_at(c.layer, c.t0), bias, c.starts, c.h - channels, d.dh, c.steps, channels, N,
         d.carried, c.s, d_gates, sums);
  // weight gradients
  add_columns(sums, c.B, 3 * N, gradients.at(c.w.in_bias));
  gemm_(E, N, c.positions, {d.dy, E, Op::transpose}, {c.s, N}, 1, gradients.at(c.w.out), N);
  gemm_(3 * N, E, c.positions, {d_gates, 3 * N, Op::transpose}, {c.v, E}, 1, gradients.at(c.w.in),
        E);
  // grad_input: dv = W_inᵀ d_gates (+ dy)
  gemm_(c.positions, E, 3 * N, {d_gates, 3 * N}, {w_in, E}, d.dx_begun ? 1.0f : 0.0f, d.dx, E);
}

}  // namespace slm
