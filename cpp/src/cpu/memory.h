#pragma once
// What the CPU backend's opaque objects are made of.
#include <memory>
#include <utility>
#include <vector>

#include "backend.h"
#include "cpu/kernels.h"

namespace slm {

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
  const Tensor* tensor;
  FloatArray forward_values, backward_values;

  PackedMatrix forward() const { return {forward_values.get(), tensor->cols(), tensor->rows()}; }
  PackedMatrix backward() const { return {backward_values.get(), tensor->rows(), tensor->cols()}; }
};

struct PackedLayer {
  PackedWeight A, B, C, D;
};

struct CpuWeights final : Weights {
  CpuWeights(const Config& config, const TensorTable& table, const Kernels& kernels);
  Buffer& flat() override { return values; }

  TensorTable table;  // its own, so that `tensor` pointers live as long as the weights
  CpuBuffer values;
  const Tensor* embedding;
  std::vector<PackedLayer> layers;
};

// Floats of each array of a workspace. The workspace is allocated by it and `slm info` prints it.
struct WorkspacePlan {
  WorkspacePlan(const Config& config, const WorkspaceShape& shape, int64_t chunk_steps);
  int64_t total() const;

  int64_t layers;
  int64_t u, h;                                    // of one layer
  int64_t logits, losses, s;                       // of all layers together, as the rest
  int64_t dh = 0, dy = 0, dh_next = 0, table = 0;  // training alone
};

struct CpuWorkspace final : Workspace {
  CpuWorkspace(const Config& config, const WorkspaceShape& shape, const WorkspacePlan& plan);

  float* u(int64_t layer, int64_t t) { return inputs[layer].get() + t * B * E; }
  float* h(int64_t layer, int64_t t) { return states[layer].get() + (t + 1) * B * N; }
  const float* h(int64_t layer, int64_t t) const { return states[layer].get() + (t + 1) * B * N; }

  const int64_t E, N, L, B;
  const WorkspaceShape shape;
  int64_t computed = 0;              // its time steps that the forward pass has done
  const uint8_t* tokens = nullptr;   // (T, B)
  const uint8_t* targets = nullptr;  // (T, B)

  std::vector<FloatArray> inputs;  // per layer u (T, B, E)
  std::vector<FloatArray> states;  // per layer h (1 + T, B, N): h_{-1} first
  FloatArray losses;               // (T, B)

  // Arrays of one chunk of time. The s of the forward pass and everything of the backward pass are
  // made again for each chunk.
  FloatArray logits;   // (chunk, B, V); after head_loss of a training window, their gradient
  FloatArray s;        // (chunk, B, N)
  FloatArray dh;       // (chunk + 1, B, N): the last slot is dh of the time step after the chunk
  FloatArray dy, du;   // (chunk, B, E), swapped from layer to layer
  FloatArray dh_next;  // (L, B, N): carried from chunk to chunk
  FloatArray table;    // (V, E): the chunk's part of the embedding's gradient
};

}  // namespace slm
