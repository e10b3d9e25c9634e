#include "backend.cuh"

namespace slm {
namespace {

size_t num_bytes(int64_t floats) { return static_cast<size_t>(floats) * sizeof(float); }

}  // namespace

std::unique_ptr<Buffer> CudaBackend::make_buffer(int64_t size) const {
  return std::make_unique<CudaBuffer>(stream_, size);
}

void CudaBackend::read(const Buffer& from, int64_t offset, int64_t count, float* to) const {
  copy_bytes(device_data(from) + offset, num_bytes(count), to, cudaMemcpyDeviceToHost);
}

void CudaBackend::write(const float* from, int64_t count, Buffer& to, int64_t offset) const {
  copy_bytes(from, num_bytes(count), device_data(to) + offset, cudaMemcpyHostToDevice);
}

void CudaBackend::copy(const Buffer& from, Buffer& to) const {
  copy_bytes(device_data(from), num_bytes(from.size()), device_data(to), cudaMemcpyDeviceToDevice);
}

std::unique_ptr<Weights> CudaBackend::make_weights(const Config&, const TensorTable& table) const {
  return std::make_unique<CudaWeights>(stream_, table);
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
}

std::unique_ptr<Workspace> CudaBackend::make_workspace(const Config& config,
                                                       const WorkspaceShape& shape) const {
  return std::make_unique<CudaWorkspace>(stream_, config, shape);
}

void CudaBackend::begin_window(Workspace& any_workspace, const uint8_t* inputs,
                               const uint8_t* targets, int64_t seq_len, const Buffer* state,
                               const Dropout& dropout) const {
  auto& ws = static_cast<CudaWorkspace&>(any_workspace);
  const auto bytes = static_cast<size_t>(seq_len * ws.B);
  copy_bytes(inputs, bytes, ws.tokens.get(), cudaMemcpyHostToDevice);
  if (targets != nullptr) copy_bytes(targets, bytes, ws.targets.get(), cudaMemcpyHostToDevice);
  if (state != nullptr)
    copy(*state, ws.state);
  else
    clear_bytes(device_data(ws.state), num_bytes(ws.state.size()));
  ws.dropout = dropout;
  ws.computed = 0;
  if (ws.ngrams.orders > 0) find_ngrams(ws, seq_len);
}

void CudaBackend::save_state(const Workspace& workspace, Buffer& state) const {
  const auto& ws = static_cast<const CudaWorkspace&>(workspace);
  copy(ws.state, state);
  if (ws.ngrams.orders > 0) save_history(ws, state);
}

// On return the host's memory is the caller's again: the runtime has taken what it copies from
// pageable memory, and what it copies to the host is waited for.
void CudaBackend::copy_bytes(const void* from, size_t bytes, void* to, cudaMemcpyKind kind) const {
  cuda_check(cudaMemcpyAsync(to, from, bytes, kind, stream_), "copy memory");
  if (kind == cudaMemcpyDeviceToHost) cuda_check(cudaStreamSynchronize(stream_), "finish its work");
}

void CudaBackend::clear_bytes(void* to, size_t bytes) const {
  if (bytes > 0) cuda_check(cudaMemsetAsync(to, 0, bytes, stream_), "clear memory");
}

}  // namespace slm
