#include "cpu/cpu_backend.h"

#include <algorithm>
#include <cstring>

namespace slm {
namespace {

void copy_floats(const float* from, int64_t count, float* to) {
  std::memmove(to, from, static_cast<size_t>(count) * sizeof(float));
}

}  // namespace

CpuBackend::CpuBackend(int threads, const Kernels& kernels)
    : kernels_(kernels), pool_(threads > 0 ? threads : available_cores()) {}

std::unique_ptr<Buffer> CpuBackend::make_buffer(int64_t size) const {
  return std::make_unique<CpuBuffer>(size);
}

void CpuBackend::read(const Buffer& from, int64_t offset, int64_t count, float* to) const {
  copy_floats(data(from) + offset, count, to);
}

void CpuBackend::write(const float* from, int64_t count, Buffer& to, int64_t offset) const {
  copy_floats(from, count, data(to) + offset);
}

void CpuBackend::copy(const Buffer& from, Buffer& to) const {
  copy_floats(data(from), from.size(), data(to));
}

void CpuBackend::copy_part(const Buffer& from, int64_t offset, int64_t count, Buffer& to,
                           int64_t to_offset) const {
  copy_floats(data(from) + offset, count, data(to) + to_offset);
}

std::unique_ptr<Weights> CpuBackend::make_weights(const Config& config,
                                                  const TensorTable& table) const {
  return std::make_unique<CpuWeights>(config, table, kernels_);
}

std::unique_ptr<Gradients> CpuBackend::make_gradients(const Config&, const TensorTable& table,
                                                      int64_t positions) const {
  return std::make_unique<CpuGradients>(table, positions);
}

std::unique_ptr<Workspace> CpuBackend::make_workspace(const Config& config,
                                                      const WorkspaceShape& shape) const {
  return std::make_unique<CpuWorkspace>(
      config, shape, std::min(shape.seq_len, chunk_steps(config, shape.batch_size)));
}

void CpuBackend::params_changed(Weights& any_weights) const {
  auto& weights = static_cast<CpuWeights&>(any_weights);
  pool_.run(static_cast<int64_t>(weights.table.tensors().size()),
            [&](int64_t i) { weights.pack(i, kernels_); });
}

// A dense layer's recurrence wants many rows at once. A gated layer has no product in time, and is
// as fast on few.
int64_t CpuBackend::num_shards(const Config& config, int64_t batch_size) const {
  constexpr int64_t kMaxShards = 8;
  if (config.cell == Cell::dense) return 1;
  int64_t shards = std::min(kMaxShards, batch_size);
  while (batch_size % shards != 0) --shards;
  return shards;
}

void CpuBackend::run_parallel(int64_t tasks, const std::function<void(int64_t, int64_t)>& task,
                              const std::function<void()>& idle) const {
  pool_.run(tasks, task, idle);
}

int64_t CpuBackend::chunk_steps(const Config&, int64_t batch_size) const {
  return std::max<int64_t>(1, kChunkPositions / batch_size);
}

void CpuBackend::begin_window(Workspace& any_workspace, const Window& window, const Buffer* state,
                              const Dropout& dropout) const {
  auto& ws = static_cast<CpuWorkspace&>(any_workspace);
  ws.tokens = window.inputs;
  ws.targets = window.targets;
  ws.starts = window.starts;
  ws.dropout = dropout;
  if (dropout.batch_size == 0) ws.dropout.batch_size = ws.B;
  ws.computed = 0;
  if (dropout.locked_rate > 0) make_masks(ws);
  const int64_t size = ws.B * ws.N;
  for (int64_t i = 0; i < ws.L; ++i) {
    if (state != nullptr)
      copy_floats(data(*state) + i * size, size, ws.h(i, -1));
    else
      std::fill_n(ws.h(i, -1), size, 0.0f);
  }
  ws.history = state != nullptr ? data(*state) + hidden_size(ws.config, ws.B) : nullptr;
  if (num_sparse_tables(ws.config) > 0) find_ngrams(ws, window.seq_len);
}

void CpuBackend::begin_backward(Workspace& any_workspace) const {
  auto& ws = static_cast<CpuWorkspace&>(any_workspace);
  std::fill_n(ws.dh_next.get(), ws.L * ws.B * ws.N, 0.0f);
}

void CpuBackend::save_state(const Workspace& any_workspace, Buffer& state) const {
  const auto& ws = static_cast<const CpuWorkspace&>(any_workspace);
  const int64_t size = ws.B * ws.N;
  for (int64_t i = 0; i < ws.L; ++i)
    copy_floats(ws.h(i, ws.computed - 1), size, data(state) + i * size);
  if (ws.K == 0) return;
  // The K bytes that end the text: those of the window, and before them what was there before it.
  float* latest = data(state) + hidden_size(ws.config, ws.B);
  for (int64_t b = 0; b < ws.B; ++b, latest += ws.K) {
    const int64_t start = ws.last_start(b);
    const int64_t kept = std::max<int64_t>(0, ws.K - (ws.computed - std::max<int64_t>(0, start)));
    if (ws.history != nullptr && start < 0)
      copy_floats(ws.history + (b + 1) * ws.K - kept, kept, latest);
    else
      std::fill_n(latest, kept, 0.0f);
    for (int64_t k = kept; k < ws.K; ++k)
      latest[k] = static_cast<float>(ws.tokens[(ws.computed - ws.K + k) * ws.B + b]) + 1.0f;
  }
}

}  // namespace slm
