#include "tensors.h"

#include <cmath>

#include "util/philox.h"

namespace slm {

TensorTable::TensorTable(const Config& config) {
  const int64_t E = config.embed_dim, N = config.state_dim, L = config.num_layers;
  const float per_embed = 1.0f / std::sqrt(static_cast<float>(E));
  const float per_state = 1.0f / std::sqrt(static_cast<float>(N));
  // The tuned scale starts embeddings at the size of one: with ±1/√E the first layers see almost no
  // signal, which costs a fifth of a nat after a minute of training.
  add("embedding.weight", kVocabSize, E, config.init == "seed" ? per_embed : 1.0f);
  for (int64_t i = 0; i < L; ++i) {
    const std::string layer = "layers." + std::to_string(i) + ".";
    const int64_t O = i + 1 == L ? kVocabSize : E;
    add(layer + "A", N, N, 0.5f * per_state);
    add(layer + "B", N, E, 1.5f * per_embed);
    add(layer + "C", O, N, 1.5f * per_state);
    add(layer + "D", O, E, 1.5f * per_embed);
  }
}

void TensorTable::add(const std::string& name, int64_t rows, int64_t cols, float init_bound) {
  Tensor tensor;
  tensor.info = {name, {rows, cols}, rows * cols};
  tensor.offset = num_parameters_;
  tensor.init_bound = init_bound;
  num_parameters_ += tensor.info.size;
  tensors_.push_back(std::move(tensor));
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

void init_tensor(const Tensor& tensor, uint64_t seed, uint32_t index, float* out) {
  const Philox random(seed, PhiloxStream::init, index);
  for (int64_t i = 0; i < tensor.info.size; ++i)
    out[i] = tensor.init_bound * (2.0f * random.uniform(static_cast<uint64_t>(i)) - 1.0f);
}

}  // namespace slm
