#include "cpu/memory.h"

#include <cstdlib>
#include <new>
#include <string>

#include "util/memory_count.h"

namespace slm {
namespace {

constexpr size_t kCacheLine = 64;

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
      norm(table.find("norm.weight")),
      head(has_head(config) ? &table.at(config.tie_embeddings ? "embedding.weight" : "head.weight")
                            : nullptr),
      head_bias(table.find("head.bias")) {
  for (int64_t i = 0; i < config.num_layers; ++i) layers.emplace_back(table, i);
  for (const SparseTable& sparse : sparse_tables(config))
    ngrams.push_back(
        {&table.at(sparse.name + ".weight"), table.find(sparse.name + ".projection.weight")});
  for (const Tensor& tensor : table.tensors()) {
    Packed packed;
    if (tensor.is_matmul_weight) {
      packed.forward = FloatArray(kernels.packed_size(tensor.cols(), tensor.rows()));
      packed.backward = FloatArray(kernels.packed_size(tensor.rows(), tensor.cols()));
    }
    packed_.push_back(std::move(packed));
  }
}

void CpuWeights::pack(int64_t index, const Kernels& kernels) {
  const Tensor& tensor = table.tensors()[static_cast<size_t>(index)];
  if (!tensor.is_matmul_weight) return;
  Packed& packed = packed_[static_cast<size_t>(index)];
  const float* w = at(&tensor);
  const int64_t rows = tensor.rows(), cols = tensor.cols();
  kernels.pack(w, 1, cols, cols, rows, packed.forward.get());
  kernels.pack(w, cols, 1, rows, cols, packed.backward.get());
}

}  // namespace slm
