#include "cpu/memory.h"

#include <cstdlib>
#include <new>

namespace slm {
namespace {

constexpr size_t kCacheLine = 64;

PackedWeight make_packed(const Tensor& tensor, const Kernels& kernels) {
  return {&tensor, FloatArray(kernels.packed_size(tensor.cols(), tensor.rows())),
          FloatArray(kernels.packed_size(tensor.rows(), tensor.cols()))};
}

}  // namespace

FloatArray::FloatArray(int64_t size) {
  size_t space = static_cast<size_t>(size) * sizeof(float) + kCacheLine;
  block_.reset(std::calloc(space, 1));
  void* start = block_.get();
  if (start == nullptr) throw std::bad_alloc();
  aligned_ = static_cast<float*>(
      std::align(kCacheLine, static_cast<size_t>(size) * sizeof(float), start, space));
}

void FloatArray::Free::operator()(void* p) const { std::free(p); }

CpuWeights::CpuWeights(const Config& config, const TensorTable& source, const Kernels& kernels)
    : table(source), values(table.num_parameters()), embedding(&table.at("embedding.weight")) {
  for (int64_t i = 0; i < config.num_layers; ++i)
    layers.push_back(
        {make_packed(table.layer(i, "A"), kernels), make_packed(table.layer(i, "B"), kernels),
         make_packed(table.layer(i, "C"), kernels), make_packed(table.layer(i, "D"), kernels)});
}

WorkspacePlan::WorkspacePlan(const Config& config, const WorkspaceShape& shape,
                             int64_t chunk_steps) {
  const int64_t E = config.embed_dim, N = config.state_dim, T = shape.seq_len, B = shape.batch_size;
  layers = config.num_layers;
  u = T * B * E;
  h = (T + 1) * B * N;
  losses = T * B;
  logits = chunk_steps * B * kVocabSize;
  s = chunk_steps * B * N;
  if (shape.training) {
    dh = (chunk_steps + 1) * B * N;
    dy = chunk_steps * B * E;
    dh_next = layers * B * N;
    table = kVocabSize * E;
  }
}

int64_t WorkspacePlan::total() const {
  return layers * (u + h) + logits + losses + s + dh + 2 * dy + dh_next + table;
}

CpuWorkspace::CpuWorkspace(const Config& config, const WorkspaceShape& window,
                           const WorkspacePlan& plan)
    : E(config.embed_dim),
      N(config.state_dim),
      L(config.num_layers),
      B(window.batch_size),
      shape(window),
      losses(plan.losses),
      logits(plan.logits),
      s(plan.s),
      dh(plan.dh),
      dy(plan.dy),
      du(plan.dy),
      dh_next(plan.dh_next),
      table(plan.table) {
  for (int64_t i = 0; i < L; ++i) {
    inputs.emplace_back(plan.u);
    states.emplace_back(plan.h);
  }
}

}  // namespace slm
