#pragma once
// Members of Model and State, for the files that implement the public API.
#include <memory>
#include <string>
#include <vector>

#include "net.h"
#include "slm/model.h"

namespace slm {

struct State::Impl {
  std::shared_ptr<const Backend> backend;
  Config config;
  int64_t batch_size = 0;
  std::unique_ptr<Buffer> h;             // state_size(config, batch_size)
  std::unique_ptr<Workspace> workspace;  // of one time step, so that Model::step allocates nothing
};

struct Model::Impl : Net {
  Impl(const Config& config, const TrainConfig& train_config, const ModelOptions& options);

  std::vector<TensorInfo> infos;
  std::string device;
};

// The one way past the public API.
struct Access {
  template <typename Facade>
  static auto& impl(Facade& facade) {
    return *facade.impl_;
  }
};

inline Model::Impl& impl_of(Model& model) { return Access::impl(model); }
inline const Model::Impl& impl_of(const Model& model) { return Access::impl(model); }
inline State::Impl& impl_of(State& state) { return Access::impl(state); }
inline const State::Impl& impl_of(const State& state) { return Access::impl(state); }

}  // namespace slm
