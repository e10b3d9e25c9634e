#include "slm/model.h"

#include <algorithm>
#include <cmath>

#include "check_window.h"
#include "io/model_file.h"
#include "model_impl.h"
#include "pass/training_pass.h"
#include "util/memory_count.h"

namespace slm {
namespace {

// Room for the chunks of a forward pass over `seq_len` bytes.
std::unique_ptr<Workspace> forward_workspace(const Net& model, int64_t seq_len,
                                             int64_t batch_size) {
  const int64_t chunk = model.backend->chunk_steps(model.config, batch_size);
  return model.backend->make_workspace(model.config,
                                       {std::min(seq_len, chunk), batch_size, /*training=*/false});
}

float mean(const std::vector<float>& losses) {
  double sum = 0;
  for (float loss : losses) sum += double{loss};
  return static_cast<float>(sum / static_cast<double>(losses.size()));
}

Buffer* buffer_of(State* state) { return state ? impl_of(*state).h.get() : nullptr; }

std::unique_ptr<State::Impl> make_state(std::shared_ptr<const Backend> backend,
                                        const Config& config, int64_t batch_size) {
  auto state = std::make_unique<State::Impl>();
  state->h = backend->make_buffer(state_size(config, batch_size));
  state->workspace = backend->make_workspace(config, {1, batch_size, /*training=*/false});
  state->backend = std::move(backend);
  state->config = config;
  state->batch_size = batch_size;
  return state;
}

}  // namespace

Model::Impl::Impl(const Config& model_config, const TrainConfig& how, const ModelOptions& options)
    : Net(model_config, how, make_backend(options.device, options.threads, options.precision),
          options.precision),
      device(backend->name()) {
  for (const Tensor& tensor : table.tensors()) infos.push_back(tensor.info);
}

Model::Model(const Config& config, const ModelOptions& options)
    : Model(Preset{config, TrainConfig{}}, options) {}

Model::Model(const Preset& preset, const ModelOptions& options)
    : impl_(std::make_unique<Impl>(preset.config, preset.train_config, options)) {
  std::vector<float> values;
  uint32_t index = 0;
  for (const Tensor& tensor : impl_->table.tensors()) {
    values.resize(static_cast<size_t>(tensor.info.size));
    init_tensor(tensor, options.seed, index++, values.data());
    impl_->backend->write(values.data(), tensor.info.size, impl_->weights->flat(), tensor.offset);
  }
  impl_->backend->params_changed(*impl_->weights);
  impl_->seen_bytes = ByteSet();
}

Model Model::load(const std::string& path, const ModelOptions& options) {
  const ModelFile file = load_model_file(path);
  Model model(std::make_unique<Impl>(file.config, file.train_config, options));
  Impl& impl = impl_of(model);
  impl.backend->write(file.parameters.data(), impl.table.num_parameters(), impl.weights->flat(), 0);
  impl.backend->params_changed(*impl.weights);
  impl.seen_bytes = file.seen_bytes;
  impl.last_run = file.last_run;
  return model;
}

Model::Model(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Model::Model(Model&&) noexcept = default;
Model& Model::operator=(Model&&) noexcept = default;
Model::~Model() = default;

void Model::save(const std::string& path, const std::string& dtype) const {
  std::vector<float> values(static_cast<size_t>(num_parameters()));
  parameters(values.data());
  save_model_file(path, impl_->config, impl_->train_config, impl_->table, values.data(), dtype,
                  impl_->seen_bytes, impl_->last_run);
}

const Config& Model::config() const { return impl_->config; }
const TrainConfig& Model::train_config() const { return impl_->train_config; }
void Model::set_train_config(const TrainConfig& train_config) {
  validate(train_config);
  impl_->train_config = train_config;
}
const std::optional<TrainConfig>& Model::last_run() const { return impl_->last_run; }
const std::string& Model::device() const { return impl_->device; }
const std::string& Model::precision() const { return impl_->precision; }
int64_t Model::num_parameters() const { return impl_->table.num_parameters(); }
std::optional<ByteSet> Model::seen_bytes() const {
  const std::optional<ByteSet>& seen = impl_->seen_bytes;
  return seen && seen->empty() ? std::nullopt : seen;
}
MemoryPlan Model::memory() const {
  const Backend& backend = *impl_->backend;
  const TrainConfig& how = impl_->train_config;
  const int64_t T = how.seq_len, B = how.batch_size;
  MemoryPlan plan;
  plan.weights = count_bytes([&] { backend.make_weights(impl_->config, impl_->table); });
  plan.optimizer = count_bytes([&] {
    backend.make_gradients(impl_->config, impl_->table, T * B);
    backend.make_buffer(2 * impl_->table.num_moments());
    backend.make_update_result(impl_->table, how.max_spectral_radius > 0);
  });
  plan.window = count_bytes([&] { const TrainingPass pass(*impl_, T, B, how.recompute); });
  plan.state = count_bytes([&] { make_state(impl_->backend, impl_->config, 1); });
  return plan;
}

const std::vector<TensorInfo>& Model::tensors() const { return impl_->infos; }

void Model::parameters(float* out) const {
  impl_->backend->read(impl_->weights->flat(), 0, num_parameters(), out);
}

void Model::set_parameter(const std::string& name, const float* values, int64_t size) {
  const Tensor& tensor = impl_->table.at(name);
  if (size != tensor.info.size)
    throw Error(ErrorKind::config, "parameter \"" + name + "\" has " +
                                       std::to_string(tensor.info.size) + " values, but " +
                                       std::to_string(size) + " were given");
  if (!std::all_of(values, values + size, [](float x) { return std::isfinite(x); }))
    throw Error(ErrorKind::config,
                "the values given for parameter \"" + name + "\" are not all finite numbers");
  impl_->backend->write(values, size, impl_->weights->flat(), tensor.offset);
  impl_->backend->params_changed(*impl_->weights);
  impl_->seen_bytes.reset();  // what made these values is not known
}

State Model::new_state(int64_t batch_size) const {
  check_window("Model::new_state", *impl_, 1, batch_size, nullptr);
  return State(make_state(impl_->backend, impl_->config, batch_size));
}

void Model::step(const uint8_t* tokens, State& state, float* logits) const {
  check_state("Model::step", *impl_, state);
  State::Impl& s = impl_of(state);
  forward_pass(*impl_, *s.workspace, {tokens, nullptr, 1, s.batch_size}, s.h.get(), logits,
               nullptr);
}

void Model::logits(const uint8_t* inputs, int64_t seq_len, int64_t batch_size, State* state,
                   float* out) const {
  check_window("Model::logits", *impl_, seq_len, batch_size, state);
  const auto workspace = forward_workspace(*impl_, seq_len, batch_size);
  forward_pass(*impl_, *workspace, {inputs, nullptr, seq_len, batch_size}, buffer_of(state), out,
               nullptr);
}

float Model::loss(const uint8_t* inputs, const uint8_t* targets, int64_t seq_len,
                  int64_t batch_size, State* state) const {
  check_window("Model::loss", *impl_, seq_len, batch_size, state);
  const auto workspace = forward_workspace(*impl_, seq_len, batch_size);
  std::vector<float> losses(static_cast<size_t>(seq_len * batch_size));
  forward_pass(*impl_, *workspace, {inputs, targets, seq_len, batch_size}, buffer_of(state),
               nullptr, losses.data());
  return mean(losses);
}

float Model::gradients(const uint8_t* inputs, const uint8_t* targets, int64_t seq_len,
                       int64_t batch_size, State* state, float* out) const {
  check_window("Model::gradients", *impl_, seq_len, batch_size, state);
  const Backend& backend = *impl_->backend;
  TrainingPass pass(*impl_, seq_len, batch_size, impl_->train_config.recompute);
  const auto grads = backend.make_gradients(impl_->config, impl_->table, seq_len * batch_size);
  std::vector<float> losses(static_cast<size_t>(seq_len * batch_size));
  pass.run({inputs, targets, seq_len, batch_size}, buffer_of(state), Dropout{}, *grads,
           losses.data());
  backend.read_gradients(*grads, out);
  if (state != nullptr) pass.save_state(impl_of(*state).h);
  return mean(losses);
}

State::State(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
State::State(const State& other)
    : impl_(make_state(other.impl_->backend, other.impl_->config, other.impl_->batch_size)) {
  impl_->backend->copy(*other.impl_->h, *impl_->h);
}
State::State(State&&) noexcept = default;
State& State::operator=(State&&) noexcept = default;
State::~State() = default;

int64_t State::batch_size() const { return impl_->batch_size; }

}  // namespace slm
