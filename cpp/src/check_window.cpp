#include "check_window.h"

#include "config_fields.h"
#include "model_impl.h"

namespace slm {

void check_window(const char* where, const Net& model, int64_t seq_len, int64_t batch_size,
                  const State* state) {
  if (seq_len < 1 || batch_size < 1)
    throw Error(ErrorKind::config,
                std::string(where) + ": a window of shape (" + std::to_string(seq_len) + ", " +
                    std::to_string(batch_size) +
                    ") is empty; expected (seq_len, batch_size), both at least 1");
  if (seq_len > kMaxPositions / batch_size)
    throw Error(ErrorKind::config, std::string(where) + ": a window of shape (" +
                                       std::to_string(seq_len) + ", " + std::to_string(batch_size) +
                                       ") has more than the " + std::to_string(kMaxPositions) +
                                       " positions that one may have");
  if (state == nullptr) return;
  check_state(where, model, *state);
  if (state->batch_size() != batch_size)
    throw Error(ErrorKind::config,
                std::string(where) + ": the state is for " + std::to_string(state->batch_size()) +
                    " texts, but the window has batch_size " + std::to_string(batch_size));
}

void check_state(const char* where, const Net& model, const State& state) {
  const State::Impl& other = impl_of(state);
  if (!same_fields(other.config, model.config))
    throw Error(ErrorKind::config, std::string(where) +
                                       ": the state was made by a model of another config; make "
                                       "one with this model's new_state");
  const std::string device = model.backend->name();
  if (other.backend->name() != device)
    throw Error(ErrorKind::config, std::string(where) + ": the state is on device \"" +
                                       other.backend->name() + "\", and the model on \"" + device +
                                       "\"");
}

}  // namespace slm
