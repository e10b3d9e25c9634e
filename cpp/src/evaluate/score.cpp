#include "evaluate/score.h"

#include <algorithm>
#include <cmath>

#include "pass/forward.h"

namespace slm {
namespace {

constexpr int64_t kTimingSteps = 32;

int64_t num_segments(int64_t size) { return (size + kScoreSegmentBytes - 1) / kScoreSegmentBytes; }

// Consecutive segments as the rows of one batch, all from zero state. A row that ends before the
// others is padded, and what is computed there is ignored.
class SegmentGroup {
 public:
  SegmentGroup(const Net& model, const uint8_t* data, int64_t size, int64_t first_segment)
      : model_(model),
        data_(data),
        sums_(static_cast<size_t>(std::min(model.backend->score_rows(model.config),
                                           num_segments(size) - first_segment))) {
    const auto rows = static_cast<int64_t>(sums_.size());
    for (int64_t segment = first_segment; segment < first_segment + rows; ++segment) {
      const int64_t begin = segment * kScoreSegmentBytes;
      // The target of time step 0. A warm-up of 256 inputs has 255 targets before the segment.
      const int64_t origin = segment == 0 ? 0 : begin - (kWarmBytes - 1);
      rows_.push_back({origin, begin, std::min(size, begin + kScoreSegmentBytes)});
      num_steps_ = std::max(num_steps_, rows_.back().end - origin);
    }
    chunk_steps_ = std::min(model.backend->chunk_steps(model.config, rows), num_steps_);
    workspace_ =
        model.backend->make_workspace(model.config, {chunk_steps_, rows, /*training=*/false});
    state_ = model.backend->make_buffer(state_size(model.config, rows));
    inputs_.resize(static_cast<size_t>(chunk_steps_ * rows));
    targets_.resize(inputs_.size());
    losses_.resize(inputs_.size());
  }

  int64_t num_steps() const { return num_steps_; }

  // Computes the time steps [t0, t1), which follow those of the call before.
  void run(int64_t t0, int64_t t1, float* log_probs) {
    for (int64_t t = t0; t < t1; t += chunk_steps_)
      run_chunk(t, std::min(t + chunk_steps_, t1), log_probs);
  }

  // Adds to `sum` what the segments cost, in the order of the text.
  void add_to(double& sum) const {
    for (size_t r = 0; r < sums_.size(); ++r) {
      if (!std::isfinite(sums_[r]))
        throw Error(ErrorKind::training,
                    "the model's logits are not finite numbers somewhere in bytes " +
                        std::to_string(rows_[r].begin) + " to " + std::to_string(rows_[r].end) +
                        " of the text");
      sum += sums_[r];
    }
  }

 private:
  struct Row {
    int64_t origin, begin, end;  // in the text: first target, first scored target, end
  };

  void run_chunk(int64_t t0, int64_t t1, float* log_probs) {
    const auto rows = static_cast<int64_t>(rows_.size());
    size_t i = 0;
    for (int64_t t = t0; t < t1; ++t)
      for (const Row& row : rows_) {
        const int64_t target = row.origin + t;
        const bool inside = target < row.end;
        inputs_[i] = inside && target > 0 ? data_[target - 1] : kFirstByte;
        targets_[i++] = inside ? data_[target] : kFirstByte;
      }
    forward_pass(model_, *workspace_, {inputs_.data(), targets_.data(), t1 - t0, rows},
                 state_.get(), nullptr, losses_.data());
    i = 0;
    for (int64_t t = t0; t < t1; ++t)
      for (size_t r = 0; r < rows_.size(); ++r, ++i) {
        const int64_t target = rows_[r].origin + t;
        if (target < rows_[r].begin || target >= rows_[r].end) continue;
        sums_[r] += losses_[i];
        if (log_probs) log_probs[target] = -losses_[i];
      }
  }

  const Net& model_;
  const uint8_t* data_;
  int64_t num_steps_ = 0;
  int64_t chunk_steps_ = 0;
  std::vector<Row> rows_;
  std::vector<double> sums_;
  std::unique_ptr<Workspace> workspace_;
  std::unique_ptr<Buffer> state_;
  std::vector<uint8_t> inputs_, targets_;
  std::vector<float> losses_;
};

}  // namespace

void expect_text_to_score(size_t size) {
  if (size == 0)
    throw Error(ErrorKind::config, "the text to score is empty; at least one byte is needed");
}

Score score_of(double nats, int64_t num_bytes) {
  const double mean = nats / static_cast<double>(num_bytes);
  return {mean, mean / std::log(2.0), std::exp(mean), num_bytes};
}

Score score_text(const Net& model, const uint8_t* data, size_t size, float* log_probs) {
  expect_text_to_score(size);
  const auto num_bytes = static_cast<int64_t>(size);
  double sum = 0;
  for (int64_t segment = 0; segment < num_segments(num_bytes);
       segment += model.backend->score_rows(model.config)) {
    SegmentGroup group(model, data, num_bytes, segment);
    group.run(0, group.num_steps(), log_probs);
    group.add_to(sum);
  }
  return score_of(sum, num_bytes);
}

double estimate_score_seconds(const Net& model, const uint8_t* data, size_t size, double budget,
                              const std::function<double()>& now) {
  const auto num_bytes = static_cast<int64_t>(size);
  SegmentGroup group(model, data, num_bytes, 0);
  const auto run = [&group](int64_t t) {
    const int64_t end = std::min(t + kTimingSteps, group.num_steps());
    group.run(t, end, nullptr);
    return end;
  };
  run(0);  // touches the memory
  const double start = now();
  int64_t steps = 0;
  double elapsed = 0;
  do {
    steps = run(steps);
    elapsed = now() - start;
  } while (elapsed < budget && steps < group.num_steps());
  const int64_t rows = model.backend->score_rows(model.config);
  const int64_t groups = (num_segments(num_bytes) + rows - 1) / rows;
  return elapsed * static_cast<double>(groups * group.num_steps()) / static_cast<double>(steps);
}

}  // namespace slm
