#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "slm/documents.h"
#include "slm/model.h"

namespace slm {

/// Options of Trainer::fit. Values out of range are Error(config).
struct FitOptions {
  int64_t steps = 0;   ///< 0: by `seconds`, or else the training config's steps
  double seconds = 0;  ///< wall time, evaluation included; 0: by steps
  /// Never trained on. Empty: the end of the text, or some of the documents, drawn by the seed. In
  /// a run on documents this is Documents::encoded().
  std::string_view validation = {};
  double validation_fraction = 0.1;  ///< of the text, at most 1 MiB of it; 0: no validation
  int64_t eval_every = 0;            ///< steps between evaluations; 0: about ten in the run
  int64_t patience = 0;  ///< early stopping: evaluations without improvement before it; 0: never
  std::string checkpoint = {};     ///< file that can resume the run; empty: none
  double checkpoint_seconds = 30;  ///< between two checkpoints; the end and Ctrl-C write one too
  bool resume = false;             ///< go on from `checkpoint`
};

/// One evaluation during training.
struct Evaluation {
  int64_t step = 0;
  double seconds = 0;          ///< wall time since the start of training
  double train_loss = 0;       ///< nats per byte, mean since the evaluation before
  double validation_loss = 0;  ///< nats per byte; NaN without validation or if not finite
};

/// Passed to the callback after every step.
struct Progress {
  int64_t step = 0;   ///< steps done
  int64_t steps = 0;  ///< steps planned; 0 while the speed is still being measured
  float loss = 0;     ///< of this step, nats per byte
  float learning_rate = 0;
  float grad_norm = 0;                     ///< before clipping
  double seconds = 0;                      ///< wall time since the start of training
  double bytes_per_second = 0;             ///< of training, without evaluation
  const Evaluation* evaluation = nullptr;  ///< set if this step was followed by an evaluation
  bool is_best = false;                    ///< whether that evaluation is the best so far
  std::vector<std::string> notes;  ///< new messages, for example that the window was shortened
};

/// Result of Trainer::fit.
struct History {
  std::vector<Evaluation> evaluations;
  std::vector<std::string> notes;  ///< all, in the order in which the callback got them; after
                                   ///< those, what came up when no step followed
  int64_t steps = 0;               ///< done, those before a resume included
  int64_t best_step = 0;           ///< the step whose weights the model now has
  double best_loss = 0;  ///< validation loss there; the last training loss without validation
  double seconds = 0;
  double bytes_per_second = 0;
  TrainConfig config;    ///< as used: planned steps, shortened window, chosen dropout
  bool stopped = false;  ///< before the planned end, by the callback or by early stopping
};

/// Trains a model, which must outlive it, with AdamW; row-wise RMSprop for n-gram and match tables.
/// Not thread-safe: nothing else may use the model during a call.
class Trainer {
 public:
  /// Throws Error(config) for a config that is out of range or does not fit the model.
  Trainer(Model& model, const TrainConfig& config);
  Trainer(Trainer&&) noexcept;
  ~Trainer();

  /// One update from inputs and targets, uint8 (T, B). Returns the mean loss before the update, in
  /// nats per byte. With a `state` (truncated BPTT), the window starts from it and advances it by T
  /// bytes. Throws Error(training) if the loss or the gradient is not finite; the parameters are
  /// then unchanged.
  float step(const uint8_t* inputs, const uint8_t* targets, int64_t seq_len, int64_t batch_size,
             State* state = nullptr);
  int64_t steps_done() const;
  float learning_rate() const;  ///< of the latest step
  float grad_norm() const;      ///< of the latest step, before clipping

  /// Trains on a text (not copied), with zero moments at the start. At the end, also when this
  /// throws, the model has the weights with the lowest validation loss, or the last ones without
  /// validation. `callback` returns false to stop. Throws Error(config) for an empty text or
  /// options out of range, Error(training) if the loss is not finite or a checkpoint is of another
  /// run, and Error(io) or Error(format) for checkpoint files.
  History fit(std::string_view text, const FitOptions& options = {},
              const std::function<bool(const Progress&)>& callback = {});
  /// The same on documents: each is read from a fresh state, as the beginning of a text, and its
  /// end is learned. The model then is one of documents (Config::documents).
  History fit(const Documents& documents, const FitOptions& options = {},
              const std::function<bool(const Progress&)>& callback = {});

  struct Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace slm
