#include "train/plan.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

#include "text/sample_blocks.h"
#include "util/require.h"

namespace slm {
namespace {

constexpr size_t kMiB = size_t{1} << 20;
constexpr double kEvaluationsPerRun = 10;
constexpr double kStepsPerEvaluation = 19;  // in time, so that evaluation takes a twentieth
constexpr double kDropoutPerDoubling = 0.2, kMostDropout = 0.5;
constexpr double kNoisePerDoubling = 0.01, kMostNoise = 0.025;
constexpr double kPassesWithoutLayerDropout = 4;
constexpr double kLayerDropoutPerDoubling = 0.05, kMostLayerDropout = 0.1;

// A step count that any double fits into.
int64_t whole(double steps) { return static_cast<int64_t>(std::clamp(steps, 0.0, 1e15)); }

}  // namespace

std::string bytes_in_words(size_t count) {
  return std::to_string(count) + (count == 1 ? " byte" : " bytes");
}

void validate(const FitOptions& options) {
  const Range<int64_t> count{0, kMaxSteps};
  require("steps", options.steps, count);
  require("eval_every", options.eval_every, count);
  require("patience", options.patience, count);
  require("seconds", options.seconds, Range<double>{0});
  require("checkpoint_seconds", options.checkpoint_seconds,
          Range<double>{0, std::numeric_limits<double>::infinity()});
  require("validation_fraction", options.validation_fraction, Range<double>{0, 1, false, true});
  if (options.steps > 0 && options.seconds > 0)
    throw Error(ErrorKind::config, "both steps (" + std::to_string(options.steps) +
                                       ") and seconds (" + number_text(options.seconds) +
                                       ") are given; a run is planned by one of them");
  if (options.resume && options.checkpoint.empty())
    throw Error(ErrorKind::config,
                "resume needs the checkpoint file to go on from, and none is given");
}

Plan plan_by_steps(int64_t steps, int64_t eval_every) {
  const auto tenth = whole(std::ceil(static_cast<double>(steps) / kEvaluationsPerRun));
  return {steps, eval_every > 0 ? eval_every : std::max<int64_t>(tenth, 1)};
}

Plan plan_by_time(double seconds, double elapsed, int64_t done, const Speed& speed,
                  int64_t eval_every) {
  const double step = std::max(speed.step, 1e-9);
  const double left = std::max(seconds - elapsed - speed.evaluation, 0.0);
  Plan plan = plan_by_steps(done + whole(left / step), eval_every);
  const int64_t cheap_enough = whole(std::ceil(kStepsPerEvaluation * speed.evaluation / step));
  plan.eval_every = std::max(plan.eval_every, cheap_enough);
  const double with_evaluations = step + speed.evaluation / static_cast<double>(plan.eval_every);
  plan.steps = std::max<int64_t>(done + whole(left / with_evaluations), 1);
  return plan;
}

float auto_dropout(double passes) {
  if (passes <= 1) return 0;
  return static_cast<float>(std::min(kDropoutPerDoubling * std::log2(passes), kMostDropout));
}

float auto_locked_dropout(double passes) {
  if (passes <= kPassesWithoutLayerDropout) return 0;
  const double doublings = std::log2(passes / kPassesWithoutLayerDropout);
  return static_cast<float>(std::min(kLayerDropoutPerDoubling * doublings, kMostLayerDropout));
}

float auto_input_noise(double passes) {
  if (passes <= 1) return 0;
  return static_cast<float>(std::min(kNoisePerDoubling * std::log2(passes), kMostNoise));
}

std::string fingerprint(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const std::string_view block : sample_blocks(text))
    for (const char byte : block) hash = (hash ^ static_cast<uint8_t>(byte)) * 0x100000001b3;
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(hash));
  return digits;
}

}  // namespace slm
