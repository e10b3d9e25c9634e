#pragma once
// What Model and State are made of, for the parts of the core that work on them.
#include <memory>

#include "backend.h"
#include "slm/model.h"
#include "tensors.h"

namespace slm {

struct State::Impl {
  std::shared_ptr<const Backend> backend;
  Config config;
  int64_t batch_size = 0;
  std::unique_ptr<Buffer> h;             // state_size(config, batch_size)
  std::unique_ptr<Workspace> workspace;  // of one time step, so that Model::step allocates nothing
};

struct Model::Impl {
  Impl(const Config& config, const TrainConfig& train_config, const ModelOptions& options);
  explicit Impl(const Impl& other);  // the same backend, and weights of its own

  Config config;
  TrainConfig train_config;
  TensorTable table;
  std::vector<TensorInfo> infos;
  std::string device, precision;
  std::shared_ptr<const Backend> backend;
  std::unique_ptr<Weights> weights;
};

}  // namespace slm
