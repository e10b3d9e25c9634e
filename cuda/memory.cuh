#pragma once
// What the CUDA backend's opaque objects are made of.
#include <memory>

#include "backend.h"
#include "launch.cuh"

namespace slm {

// Zeroed device memory, taken and given back in the order of a stream. Of size 0, it is null.
template <class T>
class DeviceArray {
 public:
  DeviceArray(cudaStream_t stream, int64_t size) {
    if (size == 0) return;
    const size_t bytes = static_cast<size_t>(size) * sizeof(T);
    T* data = nullptr;
    cuda_check(cudaMallocAsync(&data, bytes, stream), "allocate memory");
    data_ = {data, Free{stream}};
    cuda_check(cudaMemsetAsync(data, 0, bytes, stream), "clear memory");
  }
  T* get() { return data_.get(); }
  const T* get() const { return data_.get(); }

 private:
  struct Free {
    cudaStream_t stream;
    void operator()(T* p) const { cudaFreeAsync(p, stream); }
  };
  std::unique_ptr<T, Free> data_{nullptr, Free{}};
};

struct CudaBuffer final : Buffer {
  CudaBuffer(cudaStream_t stream, int64_t size) : Buffer(size), values(stream, size) {}
  DeviceArray<float> values;
};

inline float* device_data(Buffer& buffer) { return static_cast<CudaBuffer&>(buffer).values.get(); }
inline const float* device_data(const Buffer& buffer) {
  return static_cast<const CudaBuffer&>(buffer).values.get();
}

// What the kernels know of a model's n-grams. Its tables follow each other at the end of the flat
// buffer and have one width, so that they are one array of rows.
struct Ngrams {
  static constexpr int64_t kMaxOrders = 7;  // 2 to 8

  Ngrams(const Config& config, const TensorTable& table)
      : width(ngram_width(config)),
        history(history_size(config)),
        rows(table.num_moments() - table.num_dense()),
        buckets(config.ngram_buckets),
        offset(table.num_dense()),
        narrow(width != config.embed_dim) {
    for (const int64_t n : config.ngram_orders) {
      const std::string name = "ngram." + std::to_string(n);
      order[orders] = n;
      first_row[orders] = table.at(name + ".weight").moment_offset - offset;
      projection[orders] = narrow ? table.at(name + ".projection.weight").offset : 0;
      ++orders;
    }
  }

  int64_t orders = 0;
  int64_t width, history, rows, buckets;
  int64_t offset;  // of the first row, in the flat buffer
  bool narrow;     // rows are projected to E
  int64_t order[kMaxOrders], first_row[kMaxOrders];
  int64_t projection[kMaxOrders];  // (E, width): offsets in the flat buffer
};

struct CudaWeights final : Weights {
  CudaWeights(cudaStream_t stream, const TensorTable& table)
      : values(stream, table.num_parameters()), embedding(table.at("embedding.weight").offset) {}
  Buffer& flat() override { return values; }

  CudaBuffer values;
  int64_t embedding;  // offset of W_E
};

// Laid out as the parameters.
struct CudaGradients final : Gradients {
  CudaGradients(cudaStream_t stream, const Config& config, const TensorTable& table)
      : ngrams(config, table),
        size(table.num_parameters()),
        values(stream, size),
        touched(stream, ngrams.rows) {}

  const Ngrams ngrams;
  const int64_t size;
  DeviceArray<float> values;
  DeviceArray<uint8_t> touched;  // whether an n-gram row has occurred; where not, its values are 0
};

// That an n-gram of the range `index` / orders positions into it has this row.
struct Occurrence {
  int32_t row, index;
};

constexpr int64_t kSortTile = 2048;  // occurrences that a block sorts
constexpr int kDigits = 256;         // by so many values of a digit

// Arrays cover the whole window, so that a range of time is an offset into them.
struct CudaWorkspace final : Workspace {
  CudaWorkspace(cudaStream_t stream, const Config& model, const WorkspaceShape& shape)
      : config(model),
        ngrams(config, TensorTable(config)),
        E(config.embed_dim),
        B(shape.batch_size),
        positions(shape.seq_len * B),
        backward_positions(shape.training ? positions : 0),
        tokens(stream, positions),
        targets(stream, positions),
        state(stream, state_size(config, B)),
        u(stream, positions * E),
        rows(stream, positions * ngrams.orders),
        dy(stream, backward_positions * E),
        dn(stream, backward_positions * E),
        dx(stream, ngrams.narrow ? backward_positions * ngrams.orders * ngrams.width : 0),
        occurrences(stream, backward_positions * ngrams.orders),
        sorted(stream, backward_positions * ngrams.orders),
        digit_counts(stream, num_blocks(backward_positions * ngrams.orders, kSortTile) * kDigits) {}

  const float* history() const { return device_data(state) + hidden_size(config, B); }

  const Config config;
  const Ngrams ngrams;
  const int64_t E, B;
  const int64_t positions, backward_positions;  // T B, and the same or, without training, 0
  int64_t computed = 0;                         // time steps that the forward pass has done
  Dropout dropout;
  DeviceArray<uint8_t> tokens, targets;  // (T, B)
  // h (L, B, N): where the next time step starts. Then (B, K), the bytes before the window, which
  // stay.
  CudaBuffer state;
  CudaBuffer u;               // (T, B, E): input of the first layer
  DeviceArray<int32_t> rows;  // (T, B, orders): of each position's n-grams, or -1
  CudaBuffer dy;              // (T, B, E): gradient by u
  CudaBuffer dn;              // (T, B, E): the same, of what was not dropped
  CudaBuffer dx;              // (T, B, orders, width): gradient by the rows of narrow tables
  DeviceArray<Occurrence> occurrences, sorted;  // (T, B, orders)
  DeviceArray<int32_t> digit_counts;            // (tiles, kDigits)
};

}  // namespace slm
