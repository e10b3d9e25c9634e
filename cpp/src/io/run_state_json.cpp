#include "io/run_state_json.h"

#include <cmath>
#include <limits>

#include "slm/error.h"

namespace slm {
namespace {

Json evaluation_to_json(const Evaluation& evaluation) {
  Json json(Json::Object{});
  json.set("step", evaluation.step);
  json.set("seconds", evaluation.seconds);
  json.set("train_loss", evaluation.train_loss);
  const bool validated = !std::isnan(evaluation.validation_loss);
  json.set("validation_loss", validated ? Json(evaluation.validation_loss) : Json());
  return json;
}

template <typename T>
T not_negative(T value, const char* name, const std::string& where) {
  if (value < 0)
    throw Error(ErrorKind::format, "the field \"" + std::string(name) + "\" of " + where + " is " +
                                       std::to_string(value) + " but must be at least 0");
  return value;
}

Evaluation evaluation_from_json(const Json& json, const std::string& where) {
  JsonFields fields(json, where);
  Evaluation evaluation;
  evaluation.step = not_negative(fields.integer("step"), "step", where);
  evaluation.seconds = fields.number("seconds");
  evaluation.train_loss = fields.number("train_loss");
  evaluation.validation_loss = fields.at("validation_loss").get_if<std::nullptr_t>()
                                   ? std::numeric_limits<double>::quiet_NaN()
                                   : fields.number("validation_loss");
  fields.finish();
  return evaluation;
}

}  // namespace

Json run_state_to_json(const RunState& state) {
  Json json(Json::Object{});
  json.set("step", state.step);
  json.set("planned_steps", state.planned_steps);
  json.set("planned_at", state.planned_at);
  json.set("eval_every", state.eval_every);
  json.set("validation_bytes", state.validation_bytes);
  json.set("evaluation_seconds", state.evaluation_seconds);
  json.set("best_step", state.best_step);
  json.set("best_loss", state.best_loss);
  json.set("since_best", state.since_best);
  json.set("loss_sum", state.loss_sum);
  json.set("loss_count", state.loss_count);
  json.set("seconds", state.seconds);
  json.set("training_seconds", state.training_seconds);
  Json::Array evaluations;
  for (const Evaluation& evaluation : state.evaluations)
    evaluations.push_back(evaluation_to_json(evaluation));
  json.set("evaluations", std::move(evaluations));
  return json;
}

RunState run_state_from_json(const Json& json, const std::string& where) {
  JsonFields fields(json, where);
  const auto count = [&](const char* name) {
    return not_negative(fields.integer(name), name, where);
  };
  const auto seconds = [&](const char* name) {
    return not_negative(fields.number(name), name, where);
  };
  RunState state;
  state.step = count("step");
  state.planned_steps = count("planned_steps");
  state.planned_at = count("planned_at");
  state.eval_every = count("eval_every");
  state.validation_bytes = count("validation_bytes");
  state.evaluation_seconds = seconds("evaluation_seconds");
  state.best_step = count("best_step");
  state.best_loss = fields.number("best_loss");
  state.since_best = count("since_best");
  state.loss_sum = fields.number("loss_sum");
  state.loss_count = count("loss_count");
  state.seconds = seconds("seconds");
  state.training_seconds = seconds("training_seconds");
  for (const Json& evaluation : fields.array("evaluations"))
    state.evaluations.push_back(evaluation_from_json(evaluation, "an evaluation in " + where));
  fields.finish();
  if (state.planned_steps > 0 && (state.eval_every == 0 || state.step > state.planned_steps))
    throw Error(ErrorKind::format,
                where + " has a plan of " + std::to_string(state.planned_steps) +
                    " steps, evaluations every " + std::to_string(state.eval_every) +
                    " of them, and is at step " + std::to_string(state.step) + ", which cannot be");
  return state;
}

}  // namespace slm
