#include "slm/trainer.h"

#include <cmath>
#include <string_view>

#include "check_window.h"
#include "model_impl.h"
#include "pass/profile.h"
#include "text/documents.h"
#include "train/schedule.h"
#include "train/trainer_impl.h"

namespace slm {
namespace {

// A model that is trained by windows alone does not know what text they are from; one that was
// trained on a text before knows these bytes, too. (What marks ends of documents is none.)
void note_seen_bytes(Net& model, std::string_view targets) {
  if (!model.seen_bytes) return;
  if (model.seen_bytes->empty()) return model.seen_bytes.reset();
  for (const char c : targets) {
    const auto byte = static_cast<uint8_t>(c);
    if (!(model.config.documents && needs_escape(byte))) model.seen_bytes->add(byte);
  }
}

}  // namespace

Trainer::Impl::Impl(Net& trained, const TrainConfig& how)
    : model(trained),
      config(how),
      m(model.backend->make_buffer(model.table.num_moments())),
      v(model.backend->make_buffer(model.table.num_moments())),
      report_(model.backend->make_update_result(model.table, config.max_spectral_radius > 0)) {}

TrainingPass& Trainer::Impl::pass_for(const Window& window) {
  if (seq_len_ != window.seq_len || batch_size_ != window.batch_size) {
    pass_.reset();
    begun_ = false;
    seq_len_ = 0;  // until there is memory for this one
    grads = model.backend->make_gradients(model.config, model.table,
                                          window.seq_len * window.batch_size);
    pass_ =
        std::make_unique<TrainingPass>(model, window.seq_len, window.batch_size, config.recompute);
    seq_len_ = window.seq_len;
    batch_size_ = window.batch_size;
  }
  return *pass_;
}

float Trainer::Impl::step_window(const Window& window, std::unique_ptr<Buffer>* state,
                                 const Dropout& dropout, float lr, float* losses) {
  begin(window, state ? state->get() : nullptr, dropout, losses);
  update(lr);
  const float loss = finish();
  if (state) save_state(*state);
  return loss;
}

void Trainer::Impl::begin(const Window& window, const Buffer* state, const Dropout& dropout,
                          float* losses) {
  TrainingPass& pass = pass_for(window);
  if (begun_) model.backend->clear(*grads);
  begun_ = true;
  try {
    pass.run(window, state, dropout, *grads, losses);
  } catch (...) {
    model.backend->clear(*grads);
    begun_ = false;
    throw;
  }
}

void Trainer::Impl::update(float lr) {
  const auto k = static_cast<double>(updates + 1);
  AdamWStep step;
  step.learning_rate = lr;
  step.table_lr_scale = config.table_lr_scale;
  step.beta1 = config.beta1;
  step.beta2 = config.beta2;
  step.epsilon = config.epsilon;
  step.weight_decay = config.weight_decay;
  step.correction1 = static_cast<float>(1.0 - std::pow(double{config.beta1}, k));
  step.correction2 = static_cast<float>(1.0 - std::pow(double{config.beta2}, k));
  step.clip_norm = config.clip_norm;
  step.max_spectral_radius = config.max_spectral_radius;
  ScopedTimer timer("update");
  model.backend->update(*model.weights, *grads, *m, *v, model.table, step, *report_);
  timer.next("params_changed");
  model.backend->params_changed(*model.weights);
  begun_ = false;
  positions_ = seq_len_ * batch_size_;
  learning_rate = lr;
}

float Trainer::Impl::finish() {
  StepResult result;
  {
    const ScopedTimer timer("read_update_result");
    result = model.backend->read_update_result(*report_);
  }
  if (!result.finite())
    throw Error(ErrorKind::training, "at update " + std::to_string(updates + 1) + " the " +
                                         (std::isfinite(result.loss) ? "gradient" : "loss") +
                                         " is not a finite number; a lower learning rate than " +
                                         std::to_string(learning_rate) +
                                         " or a smaller clip_norm usually helps");
  ++updates;
  grad_norm = static_cast<float>(result.grad_norm);
  return static_cast<float>(result.loss / static_cast<double>(positions_));
}

Trainer::Trainer(Model& model, const TrainConfig& config) {
  validate(config);
  if (config.locked_dropout > 0 && model.config().norm == Norm::none)
    throw Error(ErrorKind::config,
                "locked_dropout is above 0, which needs a model with norm \"rms\", "
                "and this one's norm is \"none\"");
  if (config.max_spectral_radius > 0 && model.config().cell != Cell::dense)
    throw Error(
        ErrorKind::config,
        "max_spectral_radius is above 0, which bounds the matrix A of cell \"dense\", and this "
        "model's cell is \"gated\", which has none");
  impl_ = std::make_unique<Impl>(impl_of(model), config);
}

Trainer::Trainer(Trainer&&) noexcept = default;
Trainer::~Trainer() = default;

float Trainer::step(const uint8_t* inputs, const uint8_t* targets, int64_t seq_len,
                    int64_t batch_size, State* state) {
  check_window("Trainer::step", impl_->model, seq_len, batch_size, state);
  const float lr = slm::learning_rate(impl_->config, impl_->updates, impl_->config.steps);
  const TrainConfig& how = impl_->config;
  Dropout dropout;  // of which kAutoDropout, below 0, is none
  dropout.rate = std::max(how.dropout, 0.0f);
  dropout.locked_rate = std::max(how.locked_dropout, 0.0f);
  dropout.seed = how.seed;
  dropout.first = dropout.row = first_position(impl_->updates, seq_len, batch_size);
  const Window window = impl_->noise.corrupt({inputs, targets, seq_len, batch_size},
                                             how.input_noise, how.seed, dropout.first);
  const float loss = impl_->step_window(window, state ? &impl_of(*state).h : nullptr, dropout, lr);
  note_seen_bytes(impl_->model, {reinterpret_cast<const char*>(targets),
                                 static_cast<size_t>(seq_len * batch_size)});
  return loss;
}

int64_t Trainer::steps_done() const { return impl_->updates; }
float Trainer::learning_rate() const { return impl_->learning_rate; }
float Trainer::grad_norm() const { return impl_->grad_norm; }

}  // namespace slm
