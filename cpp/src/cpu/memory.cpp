#include "cpu/memory.h"

#include <cstdlib>
#include <new>
#include <string>

#include "util/memory_count.h"

namespace slm {
namespace {

constexpr size_t kCacheLine = 64;

PackedWeight make_packed(const Tensor& tensor, const Kernels& kernels) {
  return {&tensor, FloatArray(kernels.packed_size(tensor.cols(), tensor.rows())),
          FloatArray(kernels.packed_size(tensor.rows(), tensor.cols()))};
}

}  // namespace

AlignedMemory allocate_zeroed(int64_t bytes) {
  if (count_only(bytes)) return {};
  const auto size = static_cast<size_t>(bytes);
  size_t space = size + kCacheLine;
  AlignedMemory memory;
  memory.block.reset(std::calloc(space, 1));
  memory.start = memory.block.get();
  if (memory.start == nullptr) throw std::bad_alloc();
  memory.start = std::align(kCacheLine, size, memory.start, space);
  return memory;
}

void FreeMemory::operator()(void* p) const { std::free(p); }

CpuWeights::CpuWeights(const Config& config, const TensorTable& source, const Kernels& kernels)
    : table(source),
      values(table.num_parameters()),
      embedding(&table.at("embedding.weight")),
      norm(table.find("norm.weight")) {
  const auto pack = [&](PackedWeight& weight, const std::string& name) {
    if (const Tensor* tensor = table.find(name)) weight = make_packed(*tensor, kernels);
  };
  for (int64_t i = 0; i < config.num_layers; ++i) {
    const std::string name = "layers." + std::to_string(i) + ".";
    LayerWeights layer;
    layer.norm = table.find(name + "norm.weight");
    pack(layer.A, name + "A");
    pack(layer.B, name + "B");
    pack(layer.C, name + "C");
    pack(layer.D, name + "D");
    pack(layer.in, name + "in.weight");
    pack(layer.out, name + "out.weight");
    layer.in_bias = table.find(name + "in.bias");
    layer.mlp_norm = table.find(name + "mlp.norm.weight");
    pack(layer.mlp_in, name + "mlp.in.weight");
    pack(layer.mlp_out, name + "mlp.out.weight");
    layers.push_back(std::move(layer));
  }
  if (has_head(config)) pack(head, config.tie_embeddings ? "embedding.weight" : "head.weight");
  for (const SparseTable& lookup : sparse_tables(config)) {
    ngrams.push_back({&table.at(lookup.name + ".weight"), {}});
    pack(ngrams.back().projection, lookup.name + ".projection.weight");
  }
  list_packed();
}

// Once nothing moves any more.
void CpuWeights::list_packed() {
  const auto list = [this](PackedWeight& weight) {
    if (weight.tensor != nullptr) packed.push_back(&weight);
  };
  for (LayerWeights& w : layers)
    for (PackedWeight* weight : {&w.A, &w.B, &w.C, &w.D, &w.in, &w.out, &w.mlp_in, &w.mlp_out})
      list(*weight);
  list(head);
  for (NgramWeights& ngram : ngrams) list(ngram.projection);
}

}  // namespace slm
