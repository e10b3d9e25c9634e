#include "timed_backend.h"

#include <chrono>
#include <utility>

#include "model_impl.h"

namespace slm {
namespace {

using Clock = std::chrono::steady_clock;

// Adds the time of its own life to `seconds`.
class Stopwatch {
 public:
  explicit Stopwatch(double& seconds) : seconds_(seconds), start_(Clock::now()) {}
  ~Stopwatch() { seconds_ += std::chrono::duration<double>(Clock::now() - start_).count(); }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  double& seconds_;
  const Clock::time_point start_;
};

}  // namespace

TimedBackend::TimedBackend(std::shared_ptr<const Backend> timed) : inner_(std::move(timed)) {}

template <class F>
auto TimedBackend::timed(const char* operation, const F& f) const {
  const Stopwatch stopwatch(phases_[operation]);
  return f();
}

std::string TimedBackend::name() const { return inner_->name(); }

std::unique_ptr<Buffer> TimedBackend::make_buffer(int64_t size) const {
  return timed("make_buffer", [&] { return inner_->make_buffer(size); });
}

void TimedBackend::read(const Buffer& from, int64_t offset, int64_t count, float* to) const {
  timed("read", [&] { inner_->read(from, offset, count, to); });
}

void TimedBackend::write(const float* from, int64_t count, Buffer& to, int64_t offset) const {
  timed("write", [&] { inner_->write(from, count, to, offset); });
}

void TimedBackend::copy(const Buffer& from, Buffer& to) const {
  timed("copy", [&] { inner_->copy(from, to); });
}

void TimedBackend::copy_part(const Buffer& from, int64_t offset, int64_t count, Buffer& to,
                             int64_t to_offset) const {
  timed("copy_part", [&] { inner_->copy_part(from, offset, count, to, to_offset); });
}

std::unique_ptr<Weights> TimedBackend::make_weights(const Config& config,
                                                    const TensorTable& table) const {
  return timed("make_weights", [&] { return inner_->make_weights(config, table); });
}

std::unique_ptr<Gradients> TimedBackend::make_gradients(const Config& config,
                                                        const TensorTable& table,
                                                        int64_t positions) const {
  return timed("make_gradients", [&] { return inner_->make_gradients(config, table, positions); });
}

void TimedBackend::read_gradients(const Gradients& gradients, float* to) const {
  timed("read_gradients", [&] { inner_->read_gradients(gradients, to); });
}

std::unique_ptr<Workspace> TimedBackend::make_workspace(const Config& config,
                                                        const WorkspaceShape& shape) const {
  return timed("make_workspace", [&] { return inner_->make_workspace(config, shape); });
}

int64_t TimedBackend::weights_bytes(const Config& config, const TensorTable& table) const {
  return inner_->weights_bytes(config, table);
}

int64_t TimedBackend::gradients_bytes(const TensorTable& table, int64_t positions) const {
  return inner_->gradients_bytes(table, positions);
}

int64_t TimedBackend::workspace_bytes(const Config& config, const WorkspaceShape& shape) const {
  return inner_->workspace_bytes(config, shape);
}

void TimedBackend::params_changed(Weights& weights) const {
  timed("params_changed", [&] { inner_->params_changed(weights); });
}

int64_t TimedBackend::num_shards(const Config& config, int64_t batch_size) const {
  return inner_->num_shards(config, batch_size);
}

int64_t TimedBackend::chunk_steps(const Config& config, int64_t batch_size) const {
  return inner_->chunk_steps(config, batch_size);
}

void TimedBackend::begin_window(Workspace& workspace, const uint8_t* inputs, const uint8_t* targets,
                                int64_t seq_len, const Buffer* state,
                                const Dropout& dropout) const {
  timed("begin_window",
        [&] { inner_->begin_window(workspace, inputs, targets, seq_len, state, dropout); });
}

void TimedBackend::begin_backward(Workspace& workspace) const {
  timed("begin_backward", [&] { inner_->begin_backward(workspace); });
}

void TimedBackend::save_state(const Workspace& workspace, Buffer& state) const {
  timed("save_state", [&] { inner_->save_state(workspace, state); });
}

void TimedBackend::embed_forward(const Weights& weights, Workspace& workspace, int64_t t0,
                                 int64_t t1) const {
  timed("embed_forward", [&] { inner_->embed_forward(weights, workspace, t0, t1); });
}

void TimedBackend::embed_backward(const Weights& weights, Workspace& workspace, Gradients& grads,
                                  int64_t t0, int64_t t1) const {
  timed("embed_backward", [&] { inner_->embed_backward(weights, workspace, grads, t0, t1); });
}

void TimedBackend::layer_forward(const Weights& weights, Workspace& workspace, int64_t layer,
                                 int64_t t0, int64_t t1) const {
  timed("layer_forward", [&] { inner_->layer_forward(weights, workspace, layer, t0, t1); });
}

void TimedBackend::layer_backward(const Weights& weights, Workspace& workspace, Gradients& grads,
                                  int64_t layer, int64_t t0, int64_t t1) const {
  timed("layer_backward",
        [&] { inner_->layer_backward(weights, workspace, grads, layer, t0, t1); });
}

void TimedBackend::mlp_forward(const Weights& weights, Workspace& workspace, int64_t layer,
                               int64_t t0, int64_t t1) const {
  timed("mlp_forward", [&] { inner_->mlp_forward(weights, workspace, layer, t0, t1); });
}

void TimedBackend::mlp_backward(const Weights& weights, Workspace& workspace, Gradients& grads,
                                int64_t layer, int64_t t0, int64_t t1) const {
  timed("mlp_backward", [&] { inner_->mlp_backward(weights, workspace, grads, layer, t0, t1); });
}

void TimedBackend::head_logits(const Weights& weights, Workspace& workspace, int64_t t0,
                               int64_t t1) const {
  timed("head_logits", [&] { inner_->head_logits(weights, workspace, t0, t1); });
}

void TimedBackend::head_loss(const Weights& weights, Workspace& workspace, int64_t t0, int64_t t1,
                             float scale) const {
  timed("head_loss", [&] { inner_->head_loss(weights, workspace, t0, t1, scale); });
}

void TimedBackend::head_backward(const Weights& weights, Workspace& workspace, Gradients& grads,
                                 int64_t t0, int64_t t1) const {
  timed("head_backward", [&] { inner_->head_backward(weights, workspace, grads, t0, t1); });
}

void TimedBackend::read_logits(const Workspace& workspace, int64_t count, float* out) const {
  timed("read_logits", [&] { inner_->read_logits(workspace, count, out); });
}

void TimedBackend::sample(Workspace& workspace, const SampleOptions& options,
                          const SampleRequest* where, int64_t count, uint8_t* bytes) const {
  timed("sample", [&] { inner_->sample(workspace, options, where, count, bytes); });
}

void TimedBackend::read_losses(const Workspace& workspace, int64_t t0, int64_t t1,
                               float* out) const {
  timed("read_losses", [&] { inner_->read_losses(workspace, t0, t1, out); });
}

void TimedBackend::add_losses(const Workspace& workspace, int64_t t0, int64_t t1,
                              Gradients& grads) const {
  timed("add_losses", [&] { inner_->add_losses(workspace, t0, t1, grads); });
}

std::unique_ptr<UpdateResult> TimedBackend::make_update_result(const TensorTable& table,
                                                               bool max_spectral_radius) const {
  return inner_->make_update_result(table, max_spectral_radius);
}
int64_t TimedBackend::update_result_bytes(const TensorTable& table,
                                          bool max_spectral_radius) const {
  return inner_->update_result_bytes(table, max_spectral_radius);
}

void TimedBackend::update(Weights& weights, Gradients& grads, Buffer& m, Buffer& v,
                          const TensorTable& table, const AdamWStep& step,
                          UpdateResult& report) const {
  timed("update", [&] { inner_->update(weights, grads, m, v, table, step, report); });
}

StepResult TimedBackend::read_update_result(const UpdateResult& report) const {
  return timed("read_update_result", [&] { return inner_->read_update_result(report); });
}

void TimedBackend::add_gradients(const std::vector<std::unique_ptr<Gradients>>& from,
                                 Gradients& to) const {
  timed("add_gradients", [&] { inner_->add_gradients(from, to); });
}

void TimedBackend::clear(Gradients& grads) const {
  timed("clear", [&] { inner_->clear(grads); });
}

Phases profile(Model& model, const std::function<void()>& work) {
  std::shared_ptr<const Backend>& backend = model.impl().backend;
  const auto timed = std::make_shared<TimedBackend>(backend);
  struct Restore {
    std::shared_ptr<const Backend>& backend;
    const std::shared_ptr<const Backend> original;
    ~Restore() { backend = original; }
  } restore{backend, backend};
  backend = timed;
  work();
  return timed->phases();
}

}  // namespace slm
