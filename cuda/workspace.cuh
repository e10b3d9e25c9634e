#pragma once
// All memory of a window on the device. Unlike on the CPU, arrays cover the whole window, so that
// a training step is few and large operations; a range of time is an offset into them.
//
// Names are those of cpp/src/cpu/memory.h; V = 256, M = mlp_dim, K = history_size.
#include "dropout.cuh"
#include "graph.cuh"
#include "memory.cuh"
#include "numerics/sampling.h"
#include "scan.cuh"

namespace slm {

// That an n-gram or match of the range `index` / orders positions into it has this row.
struct Occurrence {
  int32_t row, index;
};

constexpr int64_t kSortTile = 2048;  // occurrences that a block sorts
constexpr int kDigits = 256;         // by so many values of a digit
constexpr int64_t kSumBlocks = 512;  // that share the positions of a norm's gradient, at most

struct CudaWorkspace final : Workspace {
  CudaWorkspace(const DeviceMemory& memory, const Config& model, const WorkspaceShape& window);

  float* u_at(int64_t level, int64_t t) { return device_data(u) + (level * T + t) * B * E; }
  float* h_at(int64_t layer, int64_t t) {
    return device_data(h) + (layer * (T + 1) + t + 1) * B * N;
  }
  float* gates_at(int64_t layer, int64_t t) {
    return device_data(gates) + (layer * T + t) * B * 3 * N;
  }
  // What a layer's cell makes: the layer's output, or what its SwiGLU takes in.
  float* y_at(int64_t layer, int64_t t) {
    return M > 0 ? device_data(mids) + (layer * T + t) * B * E : u_at(layer + 1, t);
  }
  float* q_at(int64_t layer, int64_t t) { return device_data(q) + (layer * T + t) * B * 2 * M; }
  const float* history() const { return device_data(past); }
  // Of rows of E values that start with the window's position `first`.
  Drop drop(int64_t first) const {
    return Drop(dropout.rate > 0 ? drop_numbers.get() : nullptr, E, first);
  }
  // What the input of a layer, or of the head, is multiplied by, (B, E), or null.
  const float* mask(int64_t level) const {
    return dropout.locked_rate > 0 && level > 0 ? device_data(masks) + (level - 1) * B * E
                                                : nullptr;
  }
  // Of an array (T, B, width).
  float* row_of(CudaBuffer& array, int64_t t, int64_t width) {
    return device_data(array) + t * B * width;
  }

  const Config config;
  const Ngrams ngrams;
  const WorkspaceShape shape;
  const int64_t E, N, L, M, K, B, T;
  const bool gated, normed;
  const int64_t positions, backward_positions;  // T B, and the same or, without training, 0
  const int64_t levels;                         // u of every layer, and of a head
  const int64_t scan_halvings;                  // that `powers` has room for
  int64_t computed = 0;                         // time steps that the forward pass has done
  Dropout dropout;
  Recordings recordings;

  DeviceArray<uint8_t> tokens, targets;  // (T, B)
  CudaBuffer past;                       // (B, K): the bytes before the window, as in a state
  DeviceArray<int32_t> rows;  // (T, B, orders): of each position's n-grams and matches, or -1
  CudaBuffer u;               // (levels, T, B, E): inputs of the layers and of the head
  CudaBuffer h;               // (L, 1 + T, B, N): h_{-1} first
  CudaBuffer gates;           // gated: (L, T, B, 3N): f, z, g
  CudaBuffer mids;            // with a SwiGLU: what it takes in, (L, T, B, E)
  CudaBuffer q;               // and its two halves, (L, T, B, 2M)
  CudaBuffer losses;          // (T, B)

  // From here on, arrays of one layer at a time.
  CudaBuffer logits;  // (T, B, V), the rows of a range at its start; after head_loss of a training
                      // window, their gradient
  CudaBuffer s;       // (T, B, N)
  CudaBuffer v;       // with a norm: (T, B, E): u after it
  CudaBuffer m;       // (T, B, M): what the SwiGLU's second product takes in
  CudaBuffer powers;  // dense: A^2, A^4, ...: (scan_halvings, N, N)

  DeviceArray<SampleRequest> requests;  // where bytes are sampled, without training: (B,)
  DeviceArray<int16_t> sampled;         // and the bytes, or -1 for logits that are not finite

  // From here on, training alone.
  CudaBuffer dy, du;      // (T, B, E), swapped from layer to layer
  CudaBuffer dh;          // dense: (T + 1, B, N); gated: ds, of T time steps
  CudaBuffer dh_next;     // (L, B, N): carried from range to range
  CudaBuffer d_gates;     // gated: (T, B, 3N)
  CudaBuffer dv;          // with a norm: (T, B, E)
  CudaBuffer dm, dq;      // (T, B, M) and (T, B, 2M)
  CudaBuffer dn;          // (T, B, E): gradient of what was not dropped
  CudaBuffer dx;          // (T, B, orders, width): gradient by the rows of narrow tables
  CudaBuffer block_sums;  // (kSumBlocks, E) or (B, 3N): on the way to norms and biases
  DeviceArray<Occurrence> occurrences, sorted;  // (T, B, orders)
  DeviceArray<int32_t> digit_counts;            // (tiles, kDigits)
  DeviceArray<DropNumbers> drop_numbers;        // of the window: one
  CudaBuffer masks;                             // with a norm: (L, B, E): see numerics/dropout.h
};

// One layer over a range of time: where its arrays begin.
struct CudaLayerChunk {
  CudaLayerChunk(const CudaWeights& all_weights, CudaWorkspace& ws, int64_t index, int64_t from,
                 int64_t to);

  const CudaWeights& weights;
  const LayerTensors& w;
  const int64_t layer, t0, steps, B, E, N, positions;
  const bool makes_logits;  // the last layer of a model without a head: y is left to the head
  const bool residual;
  const float* const norm;  // its weight (E,), or null: then v is u
  const float* const mask;  // of v, (B, E), or null
  float *const u, *const v, *const y, *const h, *const s;
};

// And its gradients.
struct CudaChunkGradients {
  CudaChunkGradients(const CudaLayerChunk& chunk, CudaWorkspace& ws);

  const int64_t O;  // width of dy
  float *const dy, *const du, *const dv, *const dh;
  float* const carried;  // (B, N): dh of the time step after the range
  float* const dx;       // where the cell puts the gradient of v ...
  const bool dx_begun;   // ... and whether it adds to what is there
};

}  // namespace slm
