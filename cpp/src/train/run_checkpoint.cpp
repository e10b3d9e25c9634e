// Run: saving to and resuming from a checkpoint.
#include "io/config_json.h"
#include "train/run.h"
#include "util/quote.h"

namespace slm {
namespace {

std::string description(std::string_view text) {
  return text.empty()
             ? "none"
             : std::to_string(text.size()) + " bytes with fingerprint " + fingerprint(text);
}

// Every member of `now` must be the same in `then`.
void expect_same(const Json& then, const Json& now, const std::string& path) {
  for (const auto& [name, value] : *now.get_if<Json::Object>()) {
    const Json* stored = then.find(name);
    if (stored && stored->dump() == value.dump()) continue;
    const bool about_text = name == "text" || name == "validation" || name == "documents";
    throw Error(ErrorKind::training, "cannot resume from " + quote(path) + ": its " + name +
                                         " is " + (stored ? stored->dump() : "missing") +
                                         ", and this run's is " + value.dump() +
                                         (about_text ? "; give the same files, --documents and "
                                                       "--validation as before"
                                                     : ""));
  }
}

}  // namespace

Json Run::run_spec() const {
  Json plan(Json::Object{});
  Json length(Json::Object{});
  if (options_.seconds > 0)
    length.set("seconds", options_.seconds);
  else
    length.set("steps", config_.steps);
  plan.set("length", length);
  plan.set("eval_every", options_.eval_every);
  plan.set("precision", trainer_.model.precision);
  plan.set("text", description(split_.training));
  plan.set("validation", description(split_.validation));
  return plan;
}

// The number of steps is part of the plan, where a run by time can be compared too.
void Run::expect_same_training(TrainConfig then, const std::string& path) const {
  TrainConfig now = trainer_.config;
  for (TrainConfig* config : {&then, &now}) {
    config->steps = config_.steps;
    config->seq_len = fitting_window(split_.training, config->seq_len);
  }
  expect_same(train_config_to_json(then), train_config_to_json(now), path);
}

void Run::resume() {
  const std::string& path = options_.checkpoint;
  Net& model = trainer_.model;
  const Backend& backend = *model.backend;
  const Checkpoint checkpoint = load_checkpoint(path);
  expect_same(config_to_json(checkpoint.config), config_to_json(model_config()), path);
  expect_same_training(checkpoint.train_config, path);
  expect_same(checkpoint.plan, run_spec_, path);

  const auto size = static_cast<int64_t>(checkpoint.weights.size());
  backend.write(checkpoint.weights.data(), size, model.weights->flat(), 0);
  backend.params_changed(*model.weights);
  const int64_t moments = model.table.num_moments();
  backend.write(checkpoint.m.data(), moments, *trainer_.m, 0);
  backend.write(checkpoint.v.data(), moments, *trainer_.v, 0);
  model.seen_bytes = checkpoint.seen_bytes;
  best_.set_weights(checkpoint.best);
  if (!checkpoint.stream.empty())
    backend.write(checkpoint.stream.data(), window_state_->size(), *window_state_, 0);
  trainer_.updates = checkpoint.state.step;
  const TrainConfig& used = checkpoint.last_run.value_or(checkpoint.train_config);
  config_.steps = used.steps;
  config_.warmup_steps = used.warmup_steps;
  model.last_run = checkpoint.last_run;
  state_ = checkpoint.state;
  if (state_.validation_bytes < static_cast<int64_t>(split_.validation.size()))
    use_validation(state_.validation_bytes);
}

void Run::save_if_due() {
  if (now_() - last_save_ >= options_.checkpoint_seconds) save();
}

void Run::save() {
  if (options_.checkpoint.empty()) return;
  const Net& model = trainer_.model;
  const auto values = [&](const Buffer& buffer) {
    std::vector<float> out(static_cast<size_t>(buffer.size()));
    model.backend->read(buffer, 0, buffer.size(), out.data());
    return out;
  };
  Checkpoint checkpoint;
  checkpoint.config = model.config;
  checkpoint.train_config = trainer_.config;
  checkpoint.last_run = used_config();
  checkpoint.seen_bytes = model.seen_bytes;
  checkpoint.plan = run_spec_;
  checkpoint.state = state_;
  checkpoint.state.seconds = elapsed();
  checkpoint.weights = values(model.weights->flat());
  checkpoint.m = values(*trainer_.m);
  checkpoint.v = values(*trainer_.v);
  checkpoint.best = best_.weights();
  if (config_.sampling == Sampling::stream) checkpoint.stream = values(*window_state_);
  save_checkpoint(options_.checkpoint, model.table, checkpoint);
  last_save_ = now_();
}

}  // namespace slm
