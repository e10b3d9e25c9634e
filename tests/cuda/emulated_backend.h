#pragma once
// The CUDA backend for tests, and arrays to feed it and the CPU backend with.
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "backend.cuh"
#include "check.h"
#include "cpu/cpu_backend.h"
#include "cpu/isa.h"

using Floats = std::vector<float>;
using Bytes = std::vector<uint8_t>;

// What cuda/ does not have yet is an error here: a definition goes when its file comes.
namespace slm {

[[noreturn]] inline void missing() {
  throw Error(ErrorKind::device, "this operation is not written for CUDA yet");
}

// dense_layer.cu
void CudaBackend::dense_forward(const CudaWeights&, const LayerTensors&, CudaWorkspace&,
                                const LayerRange&) const {
  missing();
}
void CudaBackend::dense_backward(const CudaWeights&, const LayerTensors&, CudaWorkspace&,
                                 CudaGradients&, const LayerRange&, const LayerGradients&) const {
  missing();
}

// gated_layer.cu
void CudaBackend::gated_forward(const CudaWeights&, const LayerTensors&, CudaWorkspace&,
                                const LayerRange&) const {
  missing();
}
void CudaBackend::gated_backward(const CudaWeights&, const LayerTensors&, CudaWorkspace&,
                                 CudaGradients&, const LayerRange&, const LayerGradients&) const {
  missing();
}

// mlp.cu
void CudaBackend::mlp_forward(const Weights&, Workspace&, int64_t, int64_t, int64_t) const {
  missing();
}
void CudaBackend::mlp_backward(const Weights&, Workspace&, Gradients&, int64_t, int64_t,
                               int64_t) const {
  missing();
}

// head.cu
void CudaBackend::head_loss(const Weights&, Workspace&, int64_t, int64_t, float) const {
  missing();
}
void CudaBackend::head_backward(const Weights&, Workspace&, Gradients&, int64_t, int64_t) const {
  missing();
}
void CudaBackend::head_logits(const Weights&, Workspace&, int64_t, int64_t) const { missing(); }
void CudaBackend::read_logits(const Workspace&, int64_t, float*) const { missing(); }
void CudaBackend::read_losses(const Workspace&, int64_t, int64_t, float*) const { missing(); }

}  // namespace slm

// Runs on the CPU through emulate.h.
using EmulatedBackend = slm::CudaBackend;

inline Floats random_floats(int64_t size, uint32_t seed, float low = -1, float high = 1) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(low, high);
  Floats values(static_cast<size_t>(size));
  for (float& value : values) value = uniform(random);
  return values;
}

inline bool same_bits(const Floats& a, const Floats& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

// To the bit, but for the CPU's plain kernels: they fuse no multiply-adds, so they differ in
// rounding.
inline void check_same(const Floats& a, const Floats& b) {
  CHECK_EQ(a.size(), b.size());
  if (slm::isa_name() != "scalar") CHECK(same_bits(a, b));
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double difference = std::abs(double{a[i]} - double{b[i]}) / (1 + std::abs(double{b[i]}));
    if (!(difference <= worst)) worst = difference;
  }
  CHECK_NEAR(worst, 0, 1e-5);
}

inline Floats read_all(const slm::Backend& backend, const slm::Buffer& buffer) {
  Floats values(static_cast<size_t>(buffer.size()));
  backend.read(buffer, 0, buffer.size(), values.data());
  return values;
}

inline Floats read_gradients(const slm::Backend& backend, const slm::Gradients& gradients,
                             const slm::TensorTable& table) {
  Floats values(static_cast<size_t>(table.num_parameters()));
  backend.read_gradients(gradients, values.data());
  return values;
}

// The gradients of all that is not an n-gram table.
inline float* dense_values(slm::Gradients& gradients) {
  if (auto* on_cpu = dynamic_cast<slm::CpuGradients*>(&gradients)) return on_cpu->dense.get();
  return dynamic_cast<slm::CudaGradients&>(gradients).values.get();
}

inline std::unique_ptr<slm::Buffer> make_buffer(const slm::Backend& backend, const Floats& values) {
  auto buffer = backend.make_buffer(static_cast<int64_t>(values.size()));
  backend.write(values.data(), buffer->size(), *buffer, 0);
  return buffer;
}
