#pragma once
// The one tensor table. Allocation, initial values, optimizer, model files and tests all walk it,
// so a new parameter is one line in tensors.cpp and nothing else has to know its name.
#include <algorithm>
#include <string>
#include <vector>

#include "slm/model.h"

namespace slm {

// Most positions (time steps x texts) of a window. Whatever else the config allows, the sizes in
// bytes of all its arrays are then far from overflowing.
inline constexpr int64_t kMaxPositions = int64_t{1} << 36;

// The first `ramp` initial values rise from `first` to `last`; the others are uniform in ±bound.
struct InitialValues {
  float bound = 0;
  int64_t ramp = 0;
  float first = 0, last = 0;
};

struct Tensor {
  TensorInfo info;
  int64_t offset = 0;  // of its first value in the flat buffer of parameters
  InitialValues init;
  float decay_scale = 1;          // times the training config's weight_decay
  bool is_matmul_weight = false;  // a matrix that rows of values are multiplied by
  bool is_recurrent = false;      // a dense cell's A, by which its state is multiplied
  int64_t moments = 0;  // of its values in the optimizer's flat buffers: one per value, or row
  int64_t moment_offset = 0;

  int64_t rows() const { return info.shape[0]; }
  int64_t cols() const { return info.shape.size() > 1 ? info.shape[1] : 1; }
};

// The tables of n-grams and matches come last, so that all that is updated value by value is one
// range.
class TensorTable {
 public:
  explicit TensorTable(const Config& config);  // whose fields must be in range

  const std::vector<Tensor>& tensors() const { return tensors_; }
  int64_t num_parameters() const { return num_parameters_; }
  int64_t num_dense() const { return num_dense_; }      // values before the first such table
  int64_t num_moments() const { return num_moments_; }  // num_dense() and one per row of them
  int64_t recurrent_size() const;                       // values of a dense cell's A, or 0
  const Tensor* find(const std::string& name) const;    // nullptr where there is none
  const Tensor& at(const std::string& name) const;      // Error(config) where there is none
  const Tensor& layer(int64_t layer, const char* name) const;  // "layers.{layer}.{name}"

 private:
  Tensor& add(const std::string& name, std::vector<int64_t> shape, const InitialValues& init);
  void add_matrix(const std::string& name, int64_t rows, int64_t cols, float init_bound);
  void add_norm(const std::string& name, int64_t width);
  void add_layer(const Config& config, int64_t layer);
  void add_sparse_tables(const Config& config);

  std::vector<Tensor> tensors_;
  int64_t num_parameters_ = 0, num_dense_ = 0, num_moments_ = 0;
};

// The parameters of one layer by name; null where the model has none.
struct LayerTensors {
  LayerTensors(const TensorTable& table, int64_t layer);

  const Tensor* norm;                         // (E,)
  const Tensor *A, *B, *C, *D;                // dense cell: (N, N), (N, E), (O, N), (O, E)
  const Tensor *in, *in_bias, *out;           // gated cell: (3N, E), (3N,), (E, N)
  const Tensor *mlp_norm, *mlp_in, *mlp_out;  // (E,), (2M, E), (E, M)
};

// A table in which every position looks up a row, or none: of n-grams or of matches.
struct SparseTable {
  std::string name;  // of the table, without ".weight"
  int64_t length;    // of the n-gram or, at least, of the match
  int64_t rows;
};
constexpr int64_t kMaxSparseTables = 8;  // a Philox block decides which of them a position drops

std::vector<SparseTable> sparse_tables(const Config& config);  // the n-grams first, by length
inline int64_t num_sparse_tables(const Config& config) {
  return static_cast<int64_t>(config.ngram_orders.size() + config.match_lengths.size());
}

// Whether logits come from a head of its own and not from the last layer.
inline bool has_head(const Config& config) {
  return config.cell != Cell::dense || config.norm != Norm::none || config.residual ||
         config.mlp_dim > 0 || config.tie_embeddings;
}

// Width of the tables of n-grams and matches.
inline int64_t ngram_width(const Config& config) {
  return config.ngram_dim > 0 ? config.ngram_dim : config.embed_dim;
}

// Bytes before a position that its n-grams and matches reach back to.
inline int64_t history_size(const Config& config) {
  const int64_t ngrams = config.ngram_orders.empty() ? 0 : config.ngram_orders.back() - 1;
  return config.match_lengths.empty() ? ngrams : std::max(ngrams, config.match_span);
}

// Fills one tensor, `index` in the table, with its initial values: value i is drawn from Philox
// counter i alone.
void init_tensor(const Tensor& tensor, uint64_t seed, uint32_t index, float* out);

}  // namespace slm
