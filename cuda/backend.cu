#include <algorithm>

#include "backend.cuh"

namespace slm {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kCallPositions = 65536;  // of a chunk

// Copies `count` values in rows of `width`, which have a stride in either array; zeros without
// `from`.
__global__ void copy_rows(const float* from, int64_t from_stride, int64_t width, int64_t count,
                          float* to, int64_t to_stride) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x, row = i / width, at = i % width;
  if (i < count) to[row * to_stride + at] = from ? from[row * from_stride + at] : 0.0f;
}

__global__ void set_numbers(DropNumbers numbers, DropNumbers* to) { *to = numbers; }

// Value i of the locked dropout masks (levels, B, E).
__global__ void make_masks(Philox random, float rate, uint64_t row, int64_t levels, int64_t B,
                           int64_t E, float* masks) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= levels * B * E) return;
  const int64_t level = i / (B * E), b = i / E % B, e = i % E;
  masks[i] = mask_value(random, rate, row + static_cast<uint64_t>(b), levels * E, level * E + e);
}

// The time step at which the text of each position of a window starts, as in Starts; returns
// whether any starts within the window.
bool find_text_starts(const Window& window, std::vector<int32_t>& text_starts) {
  if (window.starts == nullptr) return false;
  const int64_t B = window.batch_size, size = window.seq_len * B;
  text_starts.resize(static_cast<size_t>(size));
  bool any = false;
  for (int64_t i = 0; i < size; ++i) {
    const bool starts = window.starts[i] != 0;
    const int32_t before = i < B ? -1 : text_starts[static_cast<size_t>(i - B)];
    text_starts[static_cast<size_t>(i)] = starts ? static_cast<int32_t>(i / B) : before;
    any |= starts;
  }
  return any;
}

size_t num_bytes(int64_t floats) { return static_cast<size_t>(floats) * sizeof(float); }

}  // namespace

std::unique_ptr<Buffer> CudaBackend::make_buffer(int64_t size) const {
  return std::make_unique<CudaBuffer>(stream_, size);
}

void CudaBackend::read(const Buffer& from, int64_t offset, int64_t count, float* to) const {
  copy_bytes(device_data(from) + offset, num_bytes(count), to, cudaMemcpyDeviceToHost);
}

void CudaBackend::write(const float* from, int64_t count, Buffer& to, int64_t offset) const {
  staging_.copy(from, num_bytes(count), device_data(to) + offset);
}

void CudaBackend::copy(const Buffer& from, Buffer& to) const {
  copy_bytes(device_data(from), num_bytes(from.size()), device_data(to), cudaMemcpyDeviceToDevice);
}

std::unique_ptr<Weights> CudaBackend::make_weights(const Config& config,
                                                   const TensorTable& table) const {
  return std::make_unique<CudaWeights>(stream_, config, table);
}

std::unique_ptr<Gradients> CudaBackend::make_gradients(const Config& config,
                                                       const TensorTable& table, int64_t) const {
  return std::make_unique<CudaGradients>(stream_, config, table);
}

void CudaBackend::read_gradients(const Gradients& any_gradients, float* to) const {
  const auto& gradients = static_cast<const CudaGradients&>(any_gradients);
  copy_bytes(gradients.values.get(), num_bytes(gradients.size), to, cudaMemcpyDeviceToHost);
}

void CudaBackend::clear(Gradients& any_gradients) const {
  auto& gradients = static_cast<CudaGradients&>(any_gradients);
  clear_bytes(gradients.values.get(), num_bytes(gradients.size));
  clear_bytes(gradients.touched.get(), static_cast<size_t>(gradients.ngrams.rows));
  clear_bytes(gradients.loss.get(), sizeof(double));
}

std::unique_ptr<Workspace> CudaBackend::make_workspace(const Config& config,
                                                       const WorkspaceShape& shape) const {
  return std::make_unique<CudaWorkspace>(stream_, config, shape);
}

// Large enough that every usual training window is one chunk. Texts that are only read go through
// in chunks of this size, for which the memory is planned.
int64_t CudaBackend::chunk_steps(const Config&, int64_t batch_size) const {
  return std::max<int64_t>(1, kCallPositions / batch_size);
}

void CudaBackend::begin_window(Workspace& any_workspace, const Window& window, const Buffer* state,
                               const Dropout& dropout) const {
  auto& ws = static_cast<CudaWorkspace&>(any_workspace);
  const auto bytes = static_cast<size_t>(window.seq_len * ws.B);
  staging_.copy(window.inputs, bytes, ws.tokens.get());
  if (window.targets != nullptr) staging_.copy(window.targets, bytes, ws.targets.get());
  ws.has_starts = find_text_starts(window, ws.staged_text_starts);
  if (ws.has_starts)
    staging_.copy(ws.staged_text_starts.data(), bytes * sizeof(int32_t), ws.text_starts.get());
  const float* from = state != nullptr ? device_data(*state) : nullptr;
  const int64_t width = ws.B * ws.N, count = ws.L * width;
  launch(stream_, num_blocks(count, kThreads), kThreads, copy_rows, from, width, width, count,
         ws.h_at(0, -1), (ws.T + 1) * width);
  ws.dropout = dropout;
  if (dropout.rate > 0)
    launch(stream_, 1, 1, set_numbers, DropNumbers(dropout), ws.drop_numbers.get());
  if (dropout.locked_rate > 0)
    launch(stream_, num_blocks(ws.masks.size(), kThreads), kThreads, make_masks,
           Philox(dropout.seed, PhiloxStream::layers), dropout.locked_rate, dropout.row, ws.L, ws.B,
           ws.E, device_data(ws.masks));
  ws.computed = 0;
  if (ws.K == 0) return;
  const int64_t past = ws.B * ws.K;
  launch(stream_, num_blocks(past, kThreads), kThreads, copy_rows,
         from != nullptr ? from + count : nullptr, past, past, past, device_data(ws.past), past);
  find_ngrams(ws, window.seq_len);
}

void CudaBackend::begin_backward(Workspace& any_workspace) const {
  auto& ws = static_cast<CudaWorkspace&>(any_workspace);
  clear_bytes(device_data(ws.dh_next), num_bytes(ws.dh_next.size()));
}

void CudaBackend::save_state(const Workspace& workspace, Buffer& state) const {
  const auto& ws = static_cast<const CudaWorkspace&>(workspace);
  const int64_t width = ws.B * ws.N, count = ws.L * width;
  launch(stream_, num_blocks(count, kThreads), kThreads, copy_rows,
         device_data(ws.h) + ws.computed * width, (ws.T + 1) * width, width, count,
         device_data(state), width);
  if (ws.K > 0) save_history(ws, state);
}

// On return the host's memory may be used again. Copies from the host to the device go through
// Staging instead, which does not wait.
void CudaBackend::copy_bytes(const void* from, size_t bytes, void* to, cudaMemcpyKind kind) const {
  cuda_check(cudaMemcpyAsync(to, from, bytes, kind, stream_), "copy memory");
  if (kind != cudaMemcpyDeviceToDevice)
    cuda_check(cudaStreamSynchronize(stream_), "finish its work");
}

void CudaBackend::clear_bytes(void* to, size_t bytes) const {
  if (bytes > 0) cuda_check(cudaMemsetAsync(to, 0, bytes, stream_), "clear memory");
}

void CudaBackend::copy_floats(const float* from, int64_t count, float* to) const {
  copy_bytes(from, num_bytes(count), to, cudaMemcpyDeviceToDevice);
}

}  // namespace slm
