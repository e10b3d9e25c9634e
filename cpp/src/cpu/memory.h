#pragma once
// What the CPU backend's opaque objects are made of.
#include <memory>
#include <utility>
#include <vector>

#include "backend.h"
#include "cpu/kernels.h"
#include "cpu/matches.h"

namespace slm {

// Has values on their way from memory. Where the next ones lie, the hardware cannot guess in tables
// whose rows are drawn by a hash.
template <class T>
void prefetch(const T* values, int64_t size = 1) {
  constexpr auto kLine = static_cast<int64_t>(64 / sizeof(T));
  for (int64_t i = 0; i < size; i += kLine) __builtin_prefetch(values + i);
}

// A zeroed array that starts on a cache line. The memory comes from calloc, which hands out large
// blocks untouched, so that planning a huge window takes no time.
class FloatArray {
 public:
  FloatArray() = default;
  explicit FloatArray(int64_t size);
  float* get() { return aligned_; }
  const float* get() const { return aligned_; }

  FloatArray(FloatArray&& other) noexcept { swap(other); }
  FloatArray& operator=(FloatArray&& other) noexcept {
    swap(other);
    return *this;
  }

 private:
  struct Free {
    void operator()(void* p) const;
  };
  void swap(FloatArray& other) noexcept {
    std::swap(block_, other.block_);
    std::swap(aligned_, other.aligned_);
  }

  std::unique_ptr<void, Free> block_;
  float* aligned_ = nullptr;
};

struct CpuBuffer final : Buffer {
  explicit CpuBuffer(int64_t size) : Buffer(size), values(size) {}
  FloatArray values;
};

inline float* data(Buffer& buffer) { return static_cast<CpuBuffer&>(buffer).values.get(); }
inline const float* data(const Buffer& buffer) {
  return static_cast<const CpuBuffer&>(buffer).values.get();
}

// A weight matrix in the two layouts that the passes read: forward multiplies by W^T, backward by
// W.
struct PackedWeight {
  const Tensor* tensor = nullptr;
  FloatArray forward_values, backward_values;

  PackedMatrix forward() const { return {forward_values.get(), tensor->cols(), tensor->rows()}; }
  PackedMatrix backward() const { return {backward_values.get(), tensor->rows(), tensor->cols()}; }
};

// The parameters of one layer. What a model does not have is empty.
struct LayerWeights {
  const Tensor* norm = nullptr;
  PackedWeight A, B, C, D;  // dense
  PackedWeight in, out;     // gated
  const Tensor* in_bias = nullptr;
  const Tensor* mlp_norm = nullptr;
  PackedWeight mlp_in, mlp_out;
};

// One of sparse_tables(config).
struct NgramWeights {
  const Tensor* table;      // (rows, width)
  PackedWeight projection;  // empty where width is E
};

struct CpuWeights final : Weights {
  CpuWeights(const Config& config, const TensorTable& table, const Kernels& kernels);
  Buffer& flat() override { return values; }
  const float* at(const Tensor& tensor) const { return values.values.get() + tensor.offset; }
  const float* data_or_null(const Tensor* tensor) const { return tensor ? at(*tensor) : nullptr; }

  TensorTable table;  // its own, so that `tensor` pointers live as long as the weights
  CpuBuffer values;
  const Tensor* embedding;
  std::vector<LayerWeights> layers;
  const Tensor* norm;  // before the head, or null
  PackedWeight head;   // empty where the last layer makes the logits
  std::vector<NgramWeights> ngrams;
  std::vector<PackedWeight*> packed;  // all that are not empty

 private:
  void list_packed();
};

struct CpuUpdateResult final : UpdateResult {
  CpuUpdateResult(const TensorTable& table, bool max_spectral_radius)
      : powers(num_powers(table, max_spectral_radius)) {}
  static int64_t num_powers(const TensorTable& table, bool max_spectral_radius) {
    return max_spectral_radius ? 3 * table.recurrent_size() : 0;
  }

  StepResult result;
  FloatArray powers;  // room for three matrices like a dense cell's A: see spectral_radius.cpp
};

// Floats of each array of a workspace. The workspace is allocated by it and `slm info` prints it.
struct WorkspacePlan {
  WorkspacePlan(const Config& config, const WorkspaceShape& shape, int64_t chunk_steps);
  int64_t total() const;

  int64_t layers, levels;                   // levels: u of every layer, and of a head
  int64_t u, h, gates = 0, q = 0;           // of one layer; with a SwiGLU also a second u
  int64_t logits, losses, s, v = 0, m = 0;  // of all layers together, as the rest
  int64_t orders, rows = 0, gathered = 0;   // orders: those of n-grams, and the matches
  int64_t matches = 0;
  int64_t dh = 0, dy = 0, dh_next = 0, table = 0;  // training alone, as all below
  int64_t d_gates = 0, dv = 0, dm = 0, dq = 0, dn = 0, keys = 0, masks = 0;
};

struct CpuWorkspace final : Workspace {
  CpuWorkspace(const Config& config, const WorkspaceShape& shape, const WorkspacePlan& plan);

  float* u(int64_t layer, int64_t t) { return inputs[layer].get() + t * B * E; }
  float* h(int64_t layer, int64_t t) { return states[layer].get() + (t + 1) * B * N; }
  const float* h(int64_t layer, int64_t t) const { return states[layer].get() + (t + 1) * B * N; }
  float* gates(int64_t layer, int64_t t) { return all_gates[layer].get() + t * B * 3 * N; }
  // What a layer's cell makes: the layer's output, or what its SwiGLU takes in.
  float* y(int64_t layer, int64_t t) {
    return M > 0 ? mids[layer].get() + t * B * E : u(layer + 1, t);
  }
  float* q(int64_t layer, int64_t t) { return all_q[layer].get() + t * B * 2 * M; }
  // What the input of a layer, or of the head, is multiplied by, (B, E), or null.
  const float* mask(int64_t level) const {
    return dropout.locked_rate > 0 && level > 0 ? masks.get() + (level - 1) * B * E : nullptr;
  }
  const int32_t* ngram_rows(size_t order, int64_t t) const {
    return rows.data() + (static_cast<int64_t>(order) * shape.seq_len + t) * B;
  }

  const Config config;
  const int64_t E, N, L, M, K, B;
  const WorkspaceShape shape;
  int64_t computed = 0;              // its time steps that the forward pass has done
  const uint8_t* tokens = nullptr;   // (T, B)
  const uint8_t* targets = nullptr;  // (T, B)
  Dropout dropout;
  const float* history = nullptr;  // (B, K): what came before the window, in a state; or nothing
  MatchFinder matches;
  std::vector<int32_t> rows;  // (orders, T, B): of each position's n-grams and matches, or -1

  std::vector<FloatArray> inputs;     // u (T, B, E) per layer, and of the head
  std::vector<FloatArray> states;     // per layer h (1 + T, B, N): h_{-1} first
  std::vector<FloatArray> all_gates;  // per gated layer (T, B, 3N): f, z, g
  std::vector<FloatArray> mids;       // per layer with a SwiGLU: what it takes in, (T, B, E)
  std::vector<FloatArray> all_q;      // and its two halves, (T, B, 2M)
  FloatArray losses;                  // (T, B)

  // Arrays of one chunk of time. The s of the forward pass and everything of the backward pass are
  // made again for each chunk.
  FloatArray logits;    // (chunk, B, V); after head_loss of a training window, their gradient
  FloatArray s;         // (chunk, B, N)
  FloatArray v;         // (chunk, B, E): u after the norm
  FloatArray m;         // (chunk, B, M): what the SwiGLU's second product takes in
  FloatArray gathered;  // (chunk, B, width): rows of a narrow table
  FloatArray dh;        // (chunk + 1, B, N): the last slot is dh of the time step after the chunk
  FloatArray dy, du;    // (chunk, B, E), swapped from layer to layer
  FloatArray dh_next;   // (L, B, N): carried from chunk to chunk
  FloatArray table;     // (V, E): the chunk's part of the embedding's gradient
  FloatArray d_gates;   // (chunk, B, 3N)
  FloatArray dv;        // (chunk, B, E)
  FloatArray dm, dq;    // (chunk, B, M) and (chunk, B, 2M)
  FloatArray dn;        // (chunk, B, E): gradient of the looked-up vectors; their sum before drops
  std::vector<uint64_t> keys;  // (orders, kChunkPositions): see row_gradients.cpp
  FloatArray masks;            // with a norm: (L, B, E): see numerics/dropout.h
};

}  // namespace slm
