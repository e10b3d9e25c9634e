#include "cpu/memory.h"

#include <cstring>
#include <new>

namespace slm {
namespace {

constexpr std::align_val_t kCacheLine{64};

PackedWeight make_packed(const Tensor& tensor, const Kernels& kernels) {
  return {&tensor, FloatArray(kernels.packed_size(tensor.cols(), tensor.rows())),
          FloatArray(kernels.packed_size(tensor.rows(), tensor.cols()))};
}

}  // namespace

FloatArray::FloatArray(int64_t size) {
  const size_t bytes = static_cast<size_t>(size) * sizeof(float);
  data_.reset(static_cast<float*>(::operator new(bytes, kCacheLine)));
  std::memset(data_.get(), 0, bytes);
}

void FloatArray::Free::operator()(float* p) const { ::operator delete(p, kCacheLine); }

CpuWeights::CpuWeights(const Config& config, const TensorTable& source, const Kernels& kernels)
    : table(source), values(table.num_parameters()), embedding(&table.at("embedding.weight")) {
  for (int64_t i = 0; i < config.num_layers; ++i)
    layers.push_back(
        {make_packed(table.layer(i, "A"), kernels), make_packed(table.layer(i, "B"), kernels),
         make_packed(table.layer(i, "C"), kernels), make_packed(table.layer(i, "D"), kernels)});
}

CpuWorkspace::CpuWorkspace(const Config& config, const WorkspaceShape& window, int64_t chunk_steps)
    : E(config.embed_dim),
      N(config.state_dim),
      L(config.num_layers),
      B(window.batch_size),
      shape(window),
      logits(window.seq_len * B * kVocabSize),
      losses(window.seq_len * B),
      s(chunk_steps * B * N) {
  for (int64_t i = 0; i < L; ++i) {
    inputs.emplace_back(window.seq_len * B * E);
    states.emplace_back((window.seq_len + 1) * B * N);
  }
  if (window.training) {
    dh = FloatArray((chunk_steps + 1) * B * N);
    dy = FloatArray(chunk_steps * B * E);
    du = FloatArray(chunk_steps * B * E);
    dh_next = FloatArray(L * B * N);
  }
}

}  // namespace slm
