#pragma once
// Models to train, texts to train them on, and what has become of them.
#include "all_options.h"
#include "compare_backends.h"
#include "model_impl.h"
#include "slm/model.h"
#include "slm/trainer.h"

inline slm::Config dense(int64_t layers) {
  slm::Config config;
  config.embed_dim = 7;
  config.state_dim = 12;
  config.num_layers = layers;
  return config;
}

inline slm::Config seed() {
  slm::Config config = dense(3);
  config.init = slm::Init::seed;
  return config;
}

inline slm::Config normed() {
  slm::Config config = dense(2);
  config.residual = true;
  config.norm = slm::Norm::rms;
  return config;
}

inline slm::Config gated() {
  slm::Config config = normed();
  config.cell = slm::Cell::gated;
  config.ngram_orders = {2, 3, 5};
  config.ngram_buckets = 64;
  return config;
}

inline slm::Config rich() { return with_all_options(normed()); }

inline std::string text_of(int64_t size) {
  const std::string words = "the cat sat on the mat, and then it ran; who knows what else?\n";
  std::string text;
  for (size_t i = 0; static_cast<int64_t>(text.size()) < size; ++i)
    text += words.substr(i * i * 7 % 50, 9);
  return text.substr(0, static_cast<size_t>(size));
}

inline slm::ModelOptions on(const std::string& device) {
  slm::ModelOptions options;
  options.device = device;
  options.threads = 1;
  options.seed = 3;
  return options;
}

// N-gram tables start at zero, where little could go wrong.
inline slm::Model make_model(const slm::Config& config, const std::string& device) {
  slm::Model model(config, on(device));
  uint32_t number = 0;
  for (const slm::TensorInfo& tensor : model.tensors()) {
    if (tensor.name.rfind("ngram.", 0) != 0 && tensor.name.rfind("match.", 0) != 0) continue;
    const Floats values = random_floats(tensor.size, ++number, -0.3f, 0.3f);
    model.set_parameter(tensor.name, values.data(), tensor.size);
  }
  return model;
}

inline Floats parameters_of(const slm::Model& model) {
  Floats values(static_cast<size_t>(model.num_parameters()));
  model.parameters(values.data());
  return values;
}
