#pragma once
// All memory of a window on the device. Unlike on the CPU, arrays cover the whole window, so that a
// training step is few and large operations; a chunk of time is an offset into them. Names are
// those of cpp/src/cpu/memory.h.
#include <algorithm>

#include "dropout.cuh"
#include "graph.cuh"
#include "memory.cuh"
#include "numerics/sampling.h"
#include "scan.cuh"
#include "starts.cuh"

namespace slm {

// The row of an n-gram or match of the chunk's position index / orders.
struct Occurrence {
  int32_t row, index;
};

constexpr int64_t kSortTile = 2048;  // occurrences that a block sorts at once
constexpr int kDigits = 256;         // values of a digit
constexpr int64_t kSumBlocks = 512;  // at most, for the gradient of a norm or of the head's bias

// Sizes stand where arrays are declared and nowhere else.
struct CudaWorkspace final : Workspace {
  CudaWorkspace(const DeviceMemory& device_memory, const Config& model,
                const WorkspaceShape& window)
      : memory(device_memory), config(model), shape(window) {}

  float* u_at(int64_t level, int64_t t) { return device_data(u) + (level * T + t) * B * E; }
  float* h_at(int64_t layer, int64_t t) {
    return device_data(h) + (layer * (T + 1) + t + 1) * B * N;
  }
  float* gates_at(int64_t layer, int64_t t) {
    return device_data(gates) + (layer * T + t) * B * 3 * N;
  }
  // The output of a layer's cell: the layer's own output or, with an MLP, the MLP's input.
  float* y_at(int64_t layer, int64_t t) {
    return M > 0 ? device_data(mids) + (layer * T + t) * B * E : u_at(layer + 1, t);
  }
  float* q_at(int64_t layer, int64_t t) { return device_data(q) + (layer * T + t) * B * 2 * M; }
  const float* history() const { return device_data(past); }
  // Where texts start from time step t on.
  Starts starts(int64_t t) const {
    if (!has_starts) return {};
    return {text_starts.get() + t * B, t, B};
  }
  // Dropout for rows of E values from the window's position `first` on.
  Drop drop(int64_t first) const {
    return Drop(dropout.rate > 0 ? drop_numbers.get() : nullptr, E, first);
  }
  // The locked dropout mask of the input of a layer, or of the head, (B, E); or null.
  const float* mask(int64_t level) const {
    return dropout.locked_rate > 0 && level > 0 ? device_data(masks) + (level - 1) * B * E
                                                : nullptr;
  }
  // Time step t of an array (T, B, width).
  float* row_of(CudaBuffer& array, int64_t t, int64_t width) {
    return device_data(array) + t * B * width;
  }

  const DeviceMemory memory;
  const Config config;
  const WorkspaceShape shape;
  const Ngrams ngrams{config, TensorTable(config)};
  const int64_t E = config.embed_dim, N = config.state_dim, M = config.mlp_dim;
  const int64_t L = config.num_layers, K = history_size(config);
  const int64_t B = shape.batch_size, T = shape.seq_len;
  const int64_t levels = L + (has_head(config) ? 1 : 0);  // that have an input u
  const int64_t orders = ngrams.orders;
  const bool gated = config.cell == Cell::gated, normed = config.norm == Norm::rms;
  const int64_t positions = T * B;
  const int64_t backward = shape.training ? positions : 0;  // the same, for gradients
  const int64_t scan_halvings = gated ? 0 : scan_levels(T, N, B);
  int64_t computed = 0;  // time steps that the forward pass has computed
  Dropout dropout;
  bool has_starts = false;                  // whether any text starts within the window
  std::vector<int32_t> staged_text_starts;  // on the host
  Recordings recordings;

  DeviceArray<uint8_t> tokens{memory, positions}, targets{memory, positions};  // (T, B)
  DeviceArray<int32_t> text_starts{memory, positions};  // (T, B), as in Starts; with has_starts
  CudaBuffer past{memory, B * K};  // (B, K): the bytes before the window, as in a state
  DeviceArray<int32_t> rows{memory, positions * orders};  // (T, B, orders): of n-grams and matches,
                                                          // or -1
  CudaBuffer u{memory, levels * positions * E};           // (levels, T, B, E)
  CudaBuffer h{memory, L * (T + 1) * B * N};              // (L, 1 + T, B, N): h_{-1} first
  CudaBuffer gates{memory, gated ? L * positions * 3 * N : 0};  // (L, T, B, 3N): f, z, g
  CudaBuffer mids{memory, M > 0 ? L * positions * E : 0};       // (L, T, B, E): inputs of the MLPs
  CudaBuffer q{memory, L * positions * 2 * M};  // (L, T, B, 2M): p and q of the SwiGLUs
  CudaBuffer losses{memory, positions};         // (T, B)

  // Arrays of one layer at a time.
  CudaBuffer logits{memory, positions * kVocabSize};  // (T, B, V), those of a chunk at its start;
                                                      // after head_loss, their gradient
  CudaBuffer s{memory, positions * N};                // (T, B, N)
  CudaBuffer v{memory, normed ? positions * E : 0};   // (T, B, E): u after the norm
  CudaBuffer m{memory, positions * M};               // (T, B, M): input of the MLP's second product
  CudaBuffer powers{memory, scan_halvings * N * N};  // A^2, A^4, ...: (scan_halvings, N, N)

  // Without training: requests for bytes, and the bytes, or -1 for logits that are not finite.
  DeviceArray<SampleRequest> requests{memory, shape.training ? 0 : B};
  DeviceArray<int16_t> sampled{memory, shape.training ? 0 : B};

  // Training alone.
  CudaBuffer dy{memory, backward * E}, du{memory, backward * E};  // (T, B, E), swapped from layer
                                                                  // to layer
  CudaBuffer dh{memory, shape.training ? (T + 1) * B * N : 0};    // dense: (T + 1, B, N); gated: ds
  CudaBuffer dh_next{memory, shape.training ? L * B * N : 0};     // (L, B, N): from chunk to chunk
  CudaBuffer d_gates{memory, gated ? backward * 3 * N : 0};       // (T, B, 3N)
  CudaBuffer dv{memory, normed ? backward * E : 0};               // (T, B, E)
  CudaBuffer dm{memory, backward * M}, dq{memory, backward * 2 * M};  // (T, B, M), (T, B, 2M)
  CudaBuffer dn{memory, backward * E};  // (T, B, E): gradient of the kept values of the embeddings
  CudaBuffer dx{memory, ngrams.narrow ? backward * orders * ngrams.width : 0};  // (T, B, orders,
                                                                                // width)
  // (kSumBlocks, E), (kSumBlocks, V) or (B, 3N): sums of blocks, for the gradients of norms and
  // biases.
  CudaBuffer block_sums{memory, shape.training
                                    ? std::max({normed ? kSumBlocks * E : 0,
                                                config.head_bias ? kSumBlocks * kVocabSize : 0,
                                                gated ? B * 3 * N : 0})
                                    : 0};
  DeviceArray<Occurrence> occurrences{memory, backward * orders};  // (T, B, orders)
  DeviceArray<Occurrence> sorted{memory, backward * orders};       // (T, B, orders)
  DeviceArray<int32_t> digit_counts{memory,                        // (tiles, kDigits)
                                    num_blocks(backward * orders, kSortTile) * kDigits};
  DeviceArray<DropNumbers> drop_numbers{memory, shape.training ? 1 : 0};
  CudaBuffer masks{memory, shape.training && normed ? L * B * E : 0};  // (L, B, E)
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
  const Starts starts;
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
