#pragma once
// The network as the passes, scoring and training see it: its shape, its tensors, and the device
// that holds its weights. The classes of the public API (Model, State, Generator, Trainer) are
// above it.
#include <memory>
#include <optional>
#include <string>

#include "backend.h"
#include "slm/byte_set.h"
#include "slm/config.h"
#include "tensors.h"

namespace slm {

struct Net {
  // Weights that are still to be set. Error(config) for a config that is out of range.
  Net(const Config& config, const TrainConfig& train_config, std::shared_ptr<const Backend> backend,
      const std::string& precision);
  explicit Net(const Net& other);  // on the same backend, with weights of its own
  Net& operator=(const Net&) = delete;

  Config config;
  TrainConfig train_config;             // how it is to be trained
  std::optional<TrainConfig> last_run;  // how Trainer::fit last did that, as used
  TensorTable table;
  std::shared_ptr<const Backend> backend;
  std::string precision;  // of the backend; "auto" is resolved
  std::unique_ptr<Weights> weights;
  // The bytes of what it was trained on: none if it never was. Without a value they are not known,
  // and never will be.
  std::optional<ByteSet> seen_bytes;
};

}  // namespace slm
