#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "slm/model.h"

namespace slm {

struct FitOptions {
  int64_t steps = 0;                 ///< 0: by `seconds`, or else the training config's steps
  double seconds = 0;                ///< wall time, evaluation included; 0: by steps
  std::string_view validation = {};  ///< never trained on; empty: cut from the end of the text
  double validation_fraction = 0.1;  ///< of the text, at most 1 MiB of it; 0: no validation
  int64_t eval_every = 0;            ///< steps between evaluations; 0: about ten in the run
  int64_t patience = 0;              ///< evaluations without a new best before stopping; 0: never
  std::string checkpoint = {};       ///< file that can resume the run; empty: none
  double checkpoint_seconds = 30;    ///< between two checkpoints; the end and Ctrl-C write one too
  bool resume = false;               ///< go on from `checkpoint`
};

/// One evaluation: the training loss is the mean since the one before.
struct Evaluation {
  int64_t step = 0;
  double seconds = 0;          ///< of training so far
  double train_loss = 0;       ///< nats per byte
  double validation_loss = 0;  ///< nats per byte; NaN without validation or if not finite
};

/// Passed to the callback after every step.
struct Progress {
  int64_t step = 0;   ///< steps done
  int64_t steps = 0;  ///< steps planned; 0 while the speed is still being measured
  float loss = 0;     ///< of this step, nats per byte
  float learning_rate = 0;
  float grad_norm = 0;  ///< before clipping
  double seconds = 0;
  double bytes_per_second = 0;             ///< of training, evaluation left out
  const Evaluation* evaluation = nullptr;  ///< set when this step was followed by one
  bool is_best = false;                    ///< and it is the best so far
  std::vector<std::string> notes;  ///< new ones for the user, for example that the window shrank
};

struct History {
  std::vector<Evaluation> evaluations;
  std::vector<std::string> notes;  ///< all, in the order in which the callback got them; after
                                   ///< those, what came up when no step followed
  int64_t steps = 0;               ///< done, those before a resume included
  int64_t best_step = 0;           ///< whose weights the model now has
  double best_loss = 0;  ///< validation loss there; the last training loss without validation
  double seconds = 0;
  double bytes_per_second = 0;
  TrainConfig config;    ///< as resolved: steps planned, window shrunk
  bool stopped = false;  ///< by the callback or by patience, before the plan's end
};

/// AdamW on a model, which must outlive it. Not thread-safe; the model must not be used meanwhile.
class Trainer {
 public:
  Trainer(Model& model, const TrainConfig& config);
  Trainer(Trainer&&) noexcept;
  ~Trainer();

  /// One update from inputs and targets (T, B); returns the loss before it, in nats. With a
  /// `state`, the window starts from it and moves it on. Throws Error(training) where the loss or
  /// the gradient is not finite; the parameters are then unchanged.
  float step(const uint8_t* inputs, const uint8_t* targets, int64_t seq_len, int64_t batch_size,
             State* state = nullptr);
  int64_t steps_done() const;
  float learning_rate() const;  ///< of the latest step
  float grad_norm() const;      ///< of the latest step, before clipping

  /// Trains on a text (bytes; not copied), as a run of its own with fresh moments. The model ends
  /// with the weights that were best on the validation text, or the last ones without validation,
  /// also when this throws. `callback` returns false to stop.
  History fit(std::string_view text, const FitOptions& options = {},
              const std::function<bool(const Progress&)>& callback = {});

  struct Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace slm
