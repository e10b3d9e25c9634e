#pragma once
// Buffers, weights and workspaces of the CPU backend.
#include <memory>
#include <utility>
#include <vector>

#include "backend.h"
#include "cpu/array.h"
#include "cpu/kernels.h"
#include "cpu/matches.h"

namespace slm {

struct CpuBuffer final : Buffer {
  explicit CpuBuffer(int64_t size) : Buffer(size), values(size) {}
  FloatArray values;
};

inline float* data(Buffer& buffer) { return static_cast<CpuBuffer&>(buffer).values.get(); }
inline const float* data(const Buffer& buffer) {
  return static_cast<const CpuBuffer&>(buffer).values.get();
}

// One of sparse_tables(config).
struct NgramWeights {
  const Tensor* table;       // (rows, width)
  const Tensor* projection;  // (E, width), or null where width is E
};

struct CpuWeights final : Weights {
  CpuWeights(const Config& config, const TensorTable& source, const Kernels& kernels);
  Buffer& flat() override { return values; }
  const float* at(const Tensor* tensor) const {
    return tensor != nullptr ? values.values.get() + tensor->offset : nullptr;
  }
  // The right-hand sides of x W^T, in the forward pass, and dy W, in the backward pass.
  PackedMatrix forward(const Tensor* w) const {
    return {packed_of(w).forward.get(), w->cols(), w->rows()};
  }
  PackedMatrix backward(const Tensor* w) const {
    return {packed_of(w).backward.get(), w->rows(), w->cols()};
  }
  void pack(int64_t index, const Kernels& kernels);  // tensor `index` of the table

  const TensorTable table;  // its own, so that pointers to tensors live as long as the weights
  CpuBuffer values;
  const Tensor* embedding;  // (V, E)
  std::vector<LayerTensors> layers;
  const Tensor* norm;       // before the head, or null
  const Tensor* head;       // (V, E); null where the last layer makes the logits
  const Tensor* head_bias;  // (V,), or null
  std::vector<NgramWeights> ngrams;

 private:
  struct Packed {
    FloatArray forward, backward;
  };
  const Packed& packed_of(const Tensor* w) const {
    return packed_[static_cast<size_t>(w - table.tensors().data())];
  }

  std::vector<Packed> packed_;  // per tensor; empty where is_matmul_weight is not set
};

struct CpuUpdateResult final : UpdateResult {
  CpuUpdateResult(const TensorTable& table, bool max_spectral_radius)
      : powers(max_spectral_radius ? 3 * table.recurrent_size() : 0) {}

  StepResult result;
  FloatArray powers;  // room for three matrices like a dense cell's A: see spectral_radius.cpp
};

// Sizes stand where arrays are declared and nowhere else; `slm info` counts what they add up to.
struct CpuWorkspace final : Workspace {
  CpuWorkspace(const Config& model, const WorkspaceShape& window, int64_t chunk_steps)
      : config(model), shape(window), steps(chunk_steps) {}

  float* u(int64_t layer, int64_t t) { return inputs.get() + (layer * T + t) * B * E; }
  float* h(int64_t layer, int64_t t) { return states.get() + (layer * (T + 1) + t + 1) * B * N; }
  const float* h(int64_t layer, int64_t t) const {
    return states.get() + (layer * (T + 1) + t + 1) * B * N;
  }
  float* gates(int64_t layer, int64_t t) { return all_gates.get() + (layer * T + t) * B * 3 * N; }
  // The output of a layer's cell: the layer's own output or, with an MLP, the MLP's input.
  float* y(int64_t layer, int64_t t) {
    return M > 0 ? mids.get() + (layer * T + t) * B * E : u(layer + 1, t);
  }
  float* q(int64_t layer, int64_t t) { return all_q.get() + (layer * T + t) * B * 2 * M; }
  // The locked dropout mask of the input of a layer, or of the head, (B, E); or null.
  const float* mask(int64_t level) const {
    return dropout.locked_rate > 0 && level > 0 ? masks.get() + (level - 1) * B * E : nullptr;
  }
  bool starts_at(int64_t t, int64_t b) const { return starts != nullptr && starts[t * B + b] != 0; }
  // The last computed time step at which a text starts in a row, or -1.
  int64_t last_start(int64_t b) const {
    int64_t t = starts != nullptr ? computed - 1 : -1;
    while (t >= 0 && !starts_at(t, b)) --t;
    return t;
  }
  const int32_t* ngram_rows(size_t order, int64_t t) const {
    return rows.get() + (static_cast<int64_t>(order) * T + t) * B;
  }

  const Config config;
  const WorkspaceShape shape;
  const int64_t steps;  // time steps of a chunk
  const int64_t E = config.embed_dim, N = config.state_dim, M = config.mlp_dim;
  const int64_t L = config.num_layers, K = history_size(config);
  const int64_t B = shape.batch_size, T = shape.seq_len;
  const int64_t levels = L + (has_head(config) ? 1 : 0);  // that have an input u
  const int64_t orders = num_sparse_tables(config), width = ngram_width(config);
  const bool gated = config.cell == Cell::gated, normed = config.norm == Norm::rms;
  const int64_t chunk = steps * B;                      // positions of a chunk
  const int64_t backward = shape.training ? chunk : 0;  // the same, for gradients

  int64_t computed = 0;              // time steps that the forward pass has computed
  const uint8_t* tokens = nullptr;   // (T, B)
  const uint8_t* targets = nullptr;  // (T, B)
  const uint8_t* starts = nullptr;   // (T, B): where texts start; or null
  Dropout dropout;
  const float* history = nullptr;  // (B, K): the bytes before the window, in a state; or null
  MatchFinder matches{config, T};
  CpuArray<int32_t> rows{orders * T * B};  // (orders, T, B): row of each n-gram and match, or -1

  FloatArray inputs{levels * T * B * E};                // u (levels, T, B, E)
  FloatArray states{L * (T + 1) * B * N};               // h (L, 1 + T, B, N): h_{-1} first
  FloatArray all_gates{gated ? L * T * B * 3 * N : 0};  // (L, T, B, 3N): f, z, g
  FloatArray mids{M > 0 ? L * T * B * E : 0};           // (L, T, B, E): inputs of the MLPs
  FloatArray all_q{L * T * B * 2 * M};                  // (L, T, B, 2M): p and q of the SwiGLUs
  FloatArray losses{T * B};                             // (T, B)
  FloatArray zeros{gated ? N : 0};                      // (N,): h before the start of a text

  // Arrays of one chunk of time. The s of the forward pass and everything of the backward pass are
  // computed again for each chunk.
  FloatArray logits{chunk * kVocabSize};  // (chunk, B, V); after head_loss, their gradient
  FloatArray s{chunk * N};                // (chunk, B, N)
  FloatArray v{normed ? chunk * E : 0};   // (chunk, B, E): u after the norm
  FloatArray m{chunk * M};                // (chunk, B, M): input of the MLP's second product
  FloatArray gathered{orders > 0 && width != E ? chunk * width : 0};  // (chunk, B, width): rows

  // Training alone.
  FloatArray dh{shape.training ? (steps + 1) * B * N : 0};  // (chunk + 1, B, N): the last slot is
                                                            // dh of the time step after the chunk
  FloatArray dy{backward * E}, du{backward * E};       // (chunk, B, E), swapped from layer to layer
  FloatArray dh_next{shape.training ? L * B * N : 0};  // (L, B, N): from chunk to chunk
  FloatArray table{shape.training ? kVocabSize * E : 0};  // (V, E): dW_E of a chunk
  FloatArray d_gates{gated ? backward * 3 * N : 0};       // (chunk, B, 3N)
  FloatArray dv{normed ? backward * E : 0};               // (chunk, B, E)
  FloatArray dm{backward * M}, dq{backward * 2 * M};      // (chunk, B, M), (chunk, B, 2M)
  FloatArray dn{backward * E};  // (chunk, B, E): gradient of the sum of n-gram and match
                                // embeddings; that sum before dropout
  CpuArray<uint64_t> keys{shape.training ? orders * kChunkPositions : 0};  // sparse_gradients.cpp
  FloatArray masks{shape.training && normed ? L * B * E : 0};  // (L, B, E): numerics/dropout.h
};

}  // namespace slm
