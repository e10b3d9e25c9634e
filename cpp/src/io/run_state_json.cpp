#include "io/run_state_json.h"

#include <cmath>
#include <limits>

#include "slm/error.h"
#include "util/require.h"

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
T checked(T value, const Range<T>& range, const char* name, const std::string& where) {
  if (!range.holds(value))
    refuse_value("the field \"" + std::string(name) + "\" of " + where, number_text(value),
                 range.text(), ErrorKind::format);
  return value;
}

int64_t count(JsonFields& fields, const char* name, const std::string& where) {
  return checked(fields.integer(name), Range<int64_t>{0, kMaxSteps}, name, where);
}

double seconds(JsonFields& fields, const char* name, const std::string& where) {
  return checked(fields.number(name), Range<double>{0}, name, where);
}

Evaluation evaluation_from_json(const Json& json, const std::string& where) {
  JsonFields fields(json, where);
  Evaluation evaluation;
  evaluation.step = count(fields, "step", where);
  evaluation.seconds = fields.number("seconds");
  evaluation.train_loss = fields.number("train_loss");
  evaluation.validation_loss = fields.at("validation_loss").get_if<std::nullptr_t>()
                                   ? std::numeric_limits<double>::quiet_NaN()
                                   : fields.number("validation_loss");
  fields.finish();
  return evaluation;
}

// Numbers that are each in range may still be of no run.
void expect_consistent(const RunState& state, const std::string& where) {
  int64_t evaluated_at = 0;
  bool ok = true;
  for (const Evaluation& evaluation : state.evaluations) {
    ok = ok && evaluation.step > evaluated_at;
    evaluated_at = evaluation.step;
  }
  ok = ok && evaluated_at <= state.step && state.loss_count == state.step - evaluated_at;
  ok = ok && state.best_step <= evaluated_at && state.planned_at <= state.step;
  if (state.planned_steps > 0) ok = ok && state.eval_every > 0 && state.step <= state.planned_steps;
  if (ok) return;
  const auto number = [](int64_t value) { return std::to_string(value); };
  throw Error(ErrorKind::format,
              where + " is at step " + number(state.step) + " of " + number(state.planned_steps) +
                  ", planned at step " + number(state.planned_at) + ", evaluated every " +
                  number(state.eval_every) + " steps and last at step " + number(evaluated_at) +
                  ", best at step " + number(state.best_step) + ", with " +
                  number(state.loss_count) + " losses since, which cannot be");
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
  RunState state;
  state.step = count(fields, "step", where);
  state.planned_steps = count(fields, "planned_steps", where);
  state.planned_at = count(fields, "planned_at", where);
  state.eval_every = count(fields, "eval_every", where);
  state.validation_bytes = count(fields, "validation_bytes", where);
  state.evaluation_seconds = seconds(fields, "evaluation_seconds", where);
  state.best_step = count(fields, "best_step", where);
  state.best_loss = fields.number("best_loss");
  state.since_best = count(fields, "since_best", where);
  state.loss_sum = fields.number("loss_sum");
  state.loss_count = count(fields, "loss_count", where);
  state.seconds = seconds(fields, "seconds", where);
  state.training_seconds = seconds(fields, "training_seconds", where);
  for (const Json& evaluation : fields.array("evaluations"))
    state.evaluations.push_back(evaluation_from_json(evaluation, "an evaluation in " + where));
  fields.finish();
  expect_consistent(state, where);
  return state;
}

}  // namespace slm
