#pragma once
// Device memory, and the weights and gradients of the CUDA backend.
#include <memory>
#include <utility>
#include <vector>

#include "backend.h"
#include "launch.cuh"
#include "util/memory_count.h"

namespace slm {

[[noreturn]] inline void throw_no_memory(size_t bytes) {
  size_t free = 0, all = 0;
  cudaMemGetInfo(&free, &all);
  const auto megabytes = [](size_t count) { return std::to_string((count + 999999) / 1000000); };
  throw Error(ErrorKind::device, "the CUDA device has too little memory: of its " + megabytes(all) +
                                     " MB " + megabytes(free) + " are free, and " +
                                     megabytes(bytes) + " more are needed; use a smaller model, " +
                                     "batch_size or seq_len");
}

// Allocates and frees memory in the order of a stream.
class DeviceMemory {
 public:
  DeviceMemory(const Stream& stream) : stream_(stream) {}
  DeviceMemory(cudaStream_t stream) : stream_(stream) {}

  // Zeroed; null while this thread only counts (util/memory_count.h).
  void* take(size_t bytes) const {
    if (count_only(static_cast<int64_t>(bytes))) return nullptr;
    void* data = nullptr;
    const cudaError_t code = cudaMallocAsync(&data, bytes, stream_);
    if (code == cudaErrorMemoryAllocation) throw_no_memory(bytes);
    cuda_check(code, "allocate memory");
    cuda_check(cudaMemsetAsync(data, 0, bytes, stream_), "clear memory");
    return data;
  }
  void give_back(void* data) const { cudaFreeAsync(data, stream_); }

 private:
  cudaStream_t stream_ = nullptr;
};

// Zeroed device memory; null if the size is 0.
template <class T>
class DeviceArray {
 public:
  DeviceArray(const DeviceMemory& memory, int64_t size)
      : data_(size == 0 ? nullptr
                        : static_cast<T*>(memory.take(static_cast<size_t>(size) * sizeof(T))),
              GiveBack{memory}) {}
  T* get() { return data_.get(); }
  const T* get() const { return data_.get(); }

 private:
  struct GiveBack {
    DeviceMemory memory;
    void operator()(T* p) const { memory.give_back(p); }
  };
  std::unique_ptr<T, GiveBack> data_;
};

struct CudaBuffer final : Buffer {
  CudaBuffer(const DeviceMemory& memory, int64_t size) : Buffer(size), values(memory, size) {}
  DeviceArray<float> values;
};

inline float* device_data(Buffer& buffer) { return static_cast<CudaBuffer&>(buffer).values.get(); }
inline const float* device_data(const Buffer& buffer) {
  return static_cast<const CudaBuffer&>(buffer).values.get();
}

// A model's n-grams and, behind them, its matches, as kernels see them. Their tables are contiguous
// at the end of the flat buffer and have one width, so that they are one array of rows.
struct Ngrams {
  Ngrams(const Config& config, const TensorTable& table)
      : width(ngram_width(config)),
        history(history_size(config)),
        rows(table.num_moments() - table.num_dense()),
        buckets(config.ngram_buckets),
        matches(static_cast<int64_t>(config.match_lengths.size())),
        span(config.match_span),
        offset(table.num_dense()),
        narrow(width != config.embed_dim) {
    for (const SparseTable& sparse : sparse_tables(config)) {
      length[orders] = sparse.length;
      first_row[orders] = table.at(sparse.name + ".weight").moment_offset - offset;
      projection[orders] = narrow ? table.at(sparse.name + ".projection.weight").offset : 0;
      ++orders;
    }
  }

  int64_t orders = 0;  // of both
  int64_t width, history, rows, buckets, matches, span;
  int64_t offset;  // of the first row, in the flat buffer
  bool narrow;     // rows are projected to E
  int64_t length[kMaxSparseTables], first_row[kMaxSparseTables];
  int64_t projection[kMaxSparseTables];  // (E, width): offsets in the flat buffer
};

struct CudaWeights final : Weights {
  CudaWeights(const DeviceMemory& memory, const Config& config, const TensorTable& source);
  CudaWeights(const CudaWeights&) = delete;  // `layers` points into `table`
  CudaWeights& operator=(const CudaWeights&) = delete;
  Buffer& flat() override { return values; }
  const float* at(const Tensor* tensor) const {
    return tensor != nullptr ? device_data(values) + tensor->offset : nullptr;
  }

  const TensorTable table;  // a copy, so that tensors live as long as the weights
  CudaBuffer values;
  int64_t embedding;  // offset of W_E
  std::vector<LayerTensors> layers;
  const Tensor* norm;       // before the head, or null
  const Tensor* head;       // null where the last layer makes the logits
  const Tensor* head_bias;  // or null
};

// In the layout of the parameters.
struct CudaGradients final : Gradients {
  CudaGradients(const DeviceMemory& memory, const Config& config, const TensorTable& table)
      : ngrams(config, table),
        size(table.num_parameters()),
        values(memory, size),
        touched(memory, ngrams.rows),
        loss(memory, 1) {}

  float* at(const Tensor* tensor) { return values.get() + tensor->offset; }

  const Ngrams ngrams;
  const int64_t size;
  DeviceArray<float> values;
  DeviceArray<uint8_t> touched;  // per row of the sparse tables; the gradients of other rows are 0
  DeviceArray<double> loss;      // one: the sum of the step's losses
};

}  // namespace slm
