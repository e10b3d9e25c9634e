#include "net.h"

#include <utility>

namespace slm {
namespace {

template <typename C>
const C& checked(const C& config) {
  validate(config);
  return config;
}

}  // namespace

Net::Net(const Config& net_config, const TrainConfig& how, std::shared_ptr<const Backend> device,
         const std::string& wanted_precision)
    : config(checked(net_config)),
      train_config(checked(how)),
      table(config),
      backend(std::move(device)),
      precision(resolve_precision(wanted_precision, backend->name())),
      weights(backend->make_weights(config, table)) {}

Net::Net(const Net& other)
    : config(other.config),
      train_config(other.train_config),
      last_run(other.last_run),
      table(other.table),
      backend(other.backend),
      precision(other.precision),
      weights(backend->make_weights(config, table)),
      seen_bytes(other.seen_bytes) {
  backend->copy(other.weights->flat(), weights->flat());
  backend->params_changed(*weights);
}

}  // namespace slm
