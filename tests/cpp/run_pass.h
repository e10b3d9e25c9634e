#pragma once
// A training pass over a window of random bytes, with dropout and from a state that is not zero.
#include <numeric>
#include <vector>

#include "all_options.h"
#include "model_impl.h"
#include "numerics/philox.h"
#include "pass/training_pass.h"
#include "random.h"

inline slm::Config small() {
  slm::Config config;
  config.embed_dim = 9;
  config.state_dim = 20;
  config.num_layers = 3;
  return config;
}

inline slm::Config rich() { return with_all_options(small()); }

// The same with tables as wide as an embedding, whose rows mostly occur once.
inline slm::Config wide() {
  slm::Config config = rich();
  config.ngram_dim = 0;
  config.ngram_buckets = 1 << 15;
  return config;
}

// N-gram tables start at zero, where dropout would drop nothing; so they get random values.
inline slm::Model make_model(const slm::Config& config, int threads = 2) {
  slm::ModelOptions options;
  options.threads = threads;
  slm::Model model(config, options);
  for (const slm::Tensor& tensor : slm::impl_of(model).table.tensors()) {
    if (!tensor.info.sparse) continue;
    Floats values(static_cast<size_t>(tensor.info.size));
    const slm::Philox random(6, slm::PhiloxStream::init);
    for (size_t i = 0; i < values.size(); ++i) values[i] = random.uniform(i) - 0.5f;
    model.set_parameter(tensor.info.name, values.data(), tensor.info.size);
  }
  return model;
}

// The state before a window: what a few bytes leave behind.
inline slm::State warm_state(const slm::Model& model, int64_t batch_size) {
  slm::State state = model.new_state(batch_size);
  const Bytes bytes = random_bytes(3 * batch_size, 5);
  Floats logits(static_cast<size_t>(3 * batch_size * slm::kVocabSize));
  model.logits(bytes.data(), 3, batch_size, &state, logits.data());
  return state;
}

struct Result {
  double loss;  // the mean
  Floats gradients, state;
};

inline Result run(const slm::Model& model, int64_t seq_len, int64_t batch_size, bool recompute,
                  const slm::Dropout& dropout, const slm::State& state) {
  const slm::Backend& backend = *slm::impl_of(model).backend;
  const Bytes inputs = random_bytes(seq_len * batch_size, 5);
  const Bytes targets = random_bytes(seq_len * batch_size + 1, 5);
  const auto grads =
      backend.make_gradients(model.config(), slm::impl_of(model).table, seq_len * batch_size);
  slm::TrainingPass pass(slm::impl_of(model), seq_len, batch_size, recompute);
  Result result;
  Floats losses(inputs.size());
  pass.run({inputs.data(), targets.data() + 1, seq_len, batch_size}, slm::impl_of(state).h.get(),
           dropout, *grads, losses.data());
  result.loss =
      std::accumulate(losses.begin(), losses.end(), 0.0) / static_cast<double>(losses.size());
  auto after = backend.make_buffer(slm::impl_of(state).h->size());
  pass.save_state(after);
  result.gradients.resize(static_cast<size_t>(model.num_parameters()));
  backend.read_gradients(*grads, result.gradients.data());
  result.state.resize(static_cast<size_t>(after->size()));
  backend.read(*after, 0, after->size(), result.state.data());
  return result;
}

inline Result run(const slm::Model& model, int64_t seq_len, int64_t batch_size, bool recompute) {
  const float locked_rate = model.config().norm == slm::Norm::none ? 0 : 0.25f;
  return run(model, seq_len, batch_size, recompute, {0.4f, 11, 1000, 0, locked_rate, 1000},
             warm_state(model, batch_size));
}
