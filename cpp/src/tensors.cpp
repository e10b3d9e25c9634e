#include "tensors.h"

#include <cmath>

#include "numerics/match.h"
#include "numerics/philox.h"

namespace slm {
namespace {

constexpr int64_t kBigrams = 65536;  // order 2 has a row for each

float inverse_root(int64_t width) { return 1.0f / std::sqrt(static_cast<float>(width)); }

}  // namespace

std::vector<SparseTable> sparse_tables(const Config& config) {
  std::vector<SparseTable> result;
  for (const int64_t n : config.ngram_orders)
    result.push_back({"ngram." + std::to_string(n), n, n == 2 ? kBigrams : config.ngram_buckets});
  for (const int64_t m : config.match_lengths)
    result.push_back({"match." + std::to_string(m), m, kMatchRows});
  return result;
}

TensorTable::TensorTable(const Config& config) {
  const int64_t E = config.embed_dim;
  // The tuned scale starts embeddings at the size of one: with ±1/√E the first layers see almost no
  // signal, which costs a fifth of a nat after a minute of training.
  add_matrix("embedding.weight", kVocabSize, E, config.init == Init::seed ? inverse_root(E) : 1.0f);
  tensors_.back().is_matmul_weight = config.tie_embeddings;
  for (int64_t i = 0; i < config.num_layers; ++i) add_layer(config, i);
  if (has_head(config)) {
    if (config.norm == Norm::rms) add_norm("norm.weight", E);
    if (!config.tie_embeddings) add_matrix("head.weight", kVocabSize, E, inverse_root(E));
    if (config.head_bias) add("head.bias", {kVocabSize}, {}).decay_scale = 0;
  }
  add_sparse_tables(config);
}

void TensorTable::add_layer(const Config& config, int64_t index) {
  const int64_t E = config.embed_dim, N = config.state_dim, M = config.mlp_dim;
  const std::string layer = "layers." + std::to_string(index) + ".";
  if (config.norm == Norm::rms) add_norm(layer + "norm.weight", E);
  if (config.cell == Cell::dense) {
    const bool makes_logits = !has_head(config) && index + 1 == config.num_layers;
    const int64_t O = makes_logits ? kVocabSize : E;
    add_matrix(layer + "A", N, N, 0.5f * inverse_root(N));
    tensors_.back().is_recurrent = true;
    add_matrix(layer + "B", N, E, 1.5f * inverse_root(E));
    add_matrix(layer + "C", O, N, 1.5f * inverse_root(N));
    add_matrix(layer + "D", O, E, 1.5f * inverse_root(E));
  } else {
    add_matrix(layer + "in.weight", 3 * N, E, inverse_root(E));
    // The gates' biases make states that remember from two to about 150 bytes.
    add(layer + "in.bias", {3 * N}, {0, N, 0.5f, 5.0f}).decay_scale = 0;
    add_matrix(layer + "out.weight", E, N, inverse_root(N));
  }
  if (M == 0) return;
  if (config.norm == Norm::rms) add_norm(layer + "mlp.norm.weight", E);
  add_matrix(layer + "mlp.in.weight", 2 * M, E, inverse_root(E));
  add_matrix(layer + "mlp.out.weight", E, M, inverse_root(M));
}

// Tables start at zero, so that a row that never occurs need not be stored.
void TensorTable::add_sparse_tables(const Config& config) {
  const int64_t width = ngram_width(config);
  if (width != config.embed_dim)
    for (const SparseTable& sparse : sparse_tables(config))
      add_matrix(sparse.name + ".projection.weight", config.embed_dim, width, inverse_root(width));
  num_dense_ = num_parameters_;
  for (const SparseTable& sparse : sparse_tables(config)) {
    Tensor& table = add(sparse.name + ".weight", {sparse.rows, width}, {});
    table.info.sparse = true;
    num_moments_ += table.rows() - table.moments;
    table.moments = table.rows();
  }
}

Tensor& TensorTable::add(const std::string& name, std::vector<int64_t> shape,
                         const InitialValues& init) {
  Tensor tensor;
  tensor.info.name = name;
  tensor.info.size = 1;
  for (const int64_t extent : shape) tensor.info.size *= extent;
  tensor.info.shape = std::move(shape);
  tensor.offset = num_parameters_;
  tensor.init = init;
  tensor.moments = tensor.info.size;
  tensor.moment_offset = num_moments_;
  num_parameters_ += tensor.info.size;
  num_moments_ += tensor.moments;
  tensors_.push_back(std::move(tensor));
  return tensors_.back();
}

void TensorTable::add_matrix(const std::string& name, int64_t rows, int64_t cols,
                             float init_bound) {
  add(name, {rows, cols}, {init_bound}).is_matmul_weight = true;
}

void TensorTable::add_norm(const std::string& name, int64_t width) {
  add(name, {width}, {0, width, 1.0f, 1.0f}).decay_scale = 0;
}

int64_t TensorTable::recurrent_size() const {
  for (const Tensor& tensor : tensors_)
    if (tensor.is_recurrent) return tensor.info.size;
  return 0;
}

const Tensor* TensorTable::find(const std::string& name) const {
  for (const Tensor& tensor : tensors_)
    if (tensor.info.name == name) return &tensor;
  return nullptr;
}

const Tensor& TensorTable::at(const std::string& name) const {
  const Tensor* tensor = find(name);
  if (tensor == nullptr)
    throw Error(ErrorKind::config, "this model has no parameter named \"" + name +
                                       "\"; the names are those of Model::tensors()");
  return *tensor;
}

const Tensor& TensorTable::layer(int64_t layer, const char* name) const {
  return at("layers." + std::to_string(layer) + "." + name);
}

LayerTensors::LayerTensors(const TensorTable& table, int64_t layer) {
  const auto find = [&](const char* name) {
    return table.find("layers." + std::to_string(layer) + "." + name);
  };
  norm = find("norm.weight");
  A = find("A");
  B = find("B");
  C = find("C");
  D = find("D");
  in = find("in.weight");
  in_bias = find("in.bias");
  out = find("out.weight");
  mlp_norm = find("mlp.norm.weight");
  mlp_in = find("mlp.in.weight");
  mlp_out = find("mlp.out.weight");
}

void init_tensor(const Tensor& tensor, uint64_t seed, uint32_t index, float* out) {
  const InitialValues& init = tensor.init;
  const Philox random(seed, PhiloxStream::init, index);
  const float rise =
      init.ramp > 1 ? (init.last - init.first) / static_cast<float>(init.ramp - 1) : 0.0f;
  for (int64_t i = 0; i < tensor.info.size; ++i)
    out[i] = i < init.ramp ? init.first + rise * static_cast<float>(i)
             : init.bound == 0
                 ? 0.0f
                 : init.bound * (2.0f * random.uniform(static_cast<uint64_t>(i)) - 1.0f);
}

}  // namespace slm
