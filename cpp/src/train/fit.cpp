#include <chrono>

#include "train/run.h"

namespace slm {
namespace {

// Runs until the plan's end or until it is stopped, which it returns. However it ends, what a
// resumed run needs is saved.
bool run_loop(Run& run, const std::function<bool(const Progress&)>& callback) {
  bool stopped = false;
  try {
    while (!stopped && !run.finished()) {
      const Progress progress = run.advance();
      stopped = callback && !callback(progress);
      run.save_if_due();
    }
    run.save();
    run.finish();
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::cancelled) run.save();
    if (error.kind() != ErrorKind::training) throw;
    throw Error(ErrorKind::training, std::string(error.what()) +
                                         "; the model has the weights of step " +
                                         std::to_string(run.best_step()));
  } catch (...) {  // from the callback
    run.save();
    throw;
  }
  return stopped;
}

double seconds_now() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

}  // namespace

History fit_text(Trainer::Impl& trainer, const TrainingText& text, const FitOptions& options,
                 const std::function<bool(const Progress&)>& callback, const Clock& now) {
  Run run(trainer, text, options, now);
  bool stopped = false;
  try {
    stopped = run_loop(run, callback);
  } catch (...) {
    run.restore_best();
    throw;
  }
  run.restore_best();
  return run.history(stopped);
}

History Trainer::fit(std::string_view text, const FitOptions& options,
                     const std::function<bool(const Progress&)>& callback) {
  return fit_text(*impl_, text, options, callback, seconds_now);
}

History Trainer::fit(const Documents& documents, const FitOptions& options,
                     const std::function<bool(const Progress&)>& callback) {
  return fit_text(*impl_, documents, options, callback, seconds_now);
}

}  // namespace slm
