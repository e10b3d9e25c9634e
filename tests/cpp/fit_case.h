#pragma once
// A small model and a text for it to fit.
#include <string>
#include <vector>

#include "check.h"
#include "slm/slm.h"
#include "train/run.h"

using slm::ErrorKind;
using slm::FitOptions;
using slm::History;
using slm::Model;
using slm::Progress;
using slm::Trainer;

inline slm::Preset tiny() {
  slm::Preset preset;
  preset.config.embed_dim = 12;
  preset.config.state_dim = 10;
  preset.config.num_layers = 1;
  preset.train_config.seq_len = 16;
  preset.train_config.batch_size = 4;
  preset.train_config.warmup_steps = 2;
  preset.train_config.steps = 30;
  return preset;
}

inline std::string repeated(const std::string& part, size_t size) {
  std::string text;
  while (text.size() < size) text += part;
  return text.substr(0, size);
}

inline const std::string kText = repeated("To be, or not to be: that is the question. ", 2000);

inline std::vector<float> parameters(const Model& model) {
  std::vector<float> out(static_cast<size_t>(model.num_parameters()));
  model.parameters(out.data());
  return out;
}
