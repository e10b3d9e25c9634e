#pragma once
// Where the time of a piece of work goes, by operation of backend.h. For `slm bench`; nothing else
// runs through it.
#include <functional>
#include <map>
#include <string>

#include "backend.h"

namespace slm {

using Phases = std::map<std::string, double>;  // seconds by name of the operation

// Forwards every call to another backend and adds up how long each operation took. Its own calls
// must come from one thread, so that shards are computed one after the other, and the threads share
// out the work within each operation; and none are repeated without a call. On a backend that runs
// asynchronously, time counts where the caller waits for it.
class TimedBackend final : public Backend {
 public:
  explicit TimedBackend(std::shared_ptr<const Backend> timed);

  const Phases& phases() const { return phases_; }

  std::string name() const override;

  std::unique_ptr<Buffer> make_buffer(int64_t size) const override;
  void read(const Buffer& from, int64_t offset, int64_t count, float* to) const override;
  void write(const float* from, int64_t count, Buffer& to, int64_t offset) const override;
  void copy(const Buffer& from, Buffer& to) const override;
  void copy_part(const Buffer& from, int64_t offset, int64_t count, Buffer& to,
                 int64_t to_offset) const override;
  std::unique_ptr<Weights> make_weights(const Config&, const TensorTable&) const override;
  std::unique_ptr<Gradients> make_gradients(const Config&, const TensorTable&,
                                            int64_t positions) const override;
  void read_gradients(const Gradients&, float* to) const override;
  std::unique_ptr<Workspace> make_workspace(const Config&, const WorkspaceShape&) const override;
  int64_t weights_bytes(const Config&, const TensorTable&) const override;
  int64_t gradients_bytes(const TensorTable&, int64_t positions) const override;
  int64_t workspace_bytes(const Config&, const WorkspaceShape&) const override;
  void params_changed(Weights&) const override;

  int64_t num_shards(const Config&, int64_t batch_size) const override;
  int64_t chunk_steps(const Config&, int64_t batch_size) const override;
  void begin_window(Workspace&, const uint8_t* inputs, const uint8_t* targets, int64_t seq_len,
                    const Buffer* state, const Dropout&) const override;
  void begin_backward(Workspace&) const override;
  void save_state(const Workspace&, Buffer& state) const override;

  void embed_forward(const Weights&, Workspace&, int64_t t0, int64_t t1) const override;
  void embed_backward(const Weights&, Workspace&, Gradients&, int64_t t0,
                      int64_t t1) const override;
  void layer_forward(const Weights&, Workspace&, int64_t layer, int64_t t0,
                     int64_t t1) const override;
  void layer_backward(const Weights&, Workspace&, Gradients&, int64_t layer, int64_t t0,
                      int64_t t1) const override;
  void mlp_forward(const Weights&, Workspace&, int64_t layer, int64_t t0,
                   int64_t t1) const override;
  void mlp_backward(const Weights&, Workspace&, Gradients&, int64_t layer, int64_t t0,
                    int64_t t1) const override;
  void head_logits(const Weights&, Workspace&, int64_t t0, int64_t t1) const override;
  void head_loss(const Weights&, Workspace&, int64_t t0, int64_t t1, float scale) const override;
  void head_backward(const Weights&, Workspace&, Gradients&, int64_t t0, int64_t t1) const override;
  void read_logits(const Workspace&, int64_t count, float* out) const override;
  void sample(Workspace&, const SampleOptions&, const SampleRequest* where, int64_t count,
              uint8_t* bytes) const override;
  void read_losses(const Workspace&, int64_t t0, int64_t t1, float* out) const override;
  void add_losses(const Workspace&, int64_t t0, int64_t t1, Gradients&) const override;

  std::unique_ptr<UpdateResult> make_update_result(const TensorTable&,
                                                   bool max_spectral_radius) const override;
  int64_t update_result_bytes(const TensorTable&, bool max_spectral_radius) const override;
  void update(Weights&, Gradients&, Buffer& m, Buffer& v, const TensorTable&, const AdamWStep&,
              UpdateResult&) const override;
  StepResult read_update_result(const UpdateResult&) const override;
  void add_gradients(const std::vector<std::unique_ptr<Gradients>>& from,
                     Gradients& to) const override;
  void clear(Gradients&) const override;

 private:
  // f(), its time added to the operation's.
  template <class F>
  auto timed(const char* operation, const F& f) const;

  std::shared_ptr<const Backend> inner_;
  mutable Phases phases_;
};

// Runs `work`, which uses `model` on this thread, and times the operations that it makes.
Phases profile(Model& model, const std::function<void()>& work);

}  // namespace slm
