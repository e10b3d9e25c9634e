#pragma once
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "slm/byte_set.h"
#include "slm/config.h"
#include "slm/error.h"

namespace slm {

struct ModelOptions {
  uint64_t seed = 0;            ///< of the initial values
  std::string device = "auto";  ///< "auto", "cpu" or "cuda"
  int threads = 0;  ///< 0: one per core this process may use; results do not depend on it
  /// "float32", or "bf16": matrix products round their operands to bfloat16. Parameters, sums and
  /// all else stay float32. Needs a CPU with AVX512-BF16 or a CUDA device; "tf32" needs the latter.
  /// "auto": "bf16" on CPUs where it is known to be faster, else "float32".
  std::string precision = "float32";
};

/// Name and shape of one parameter, row-major float32.
struct TensorInfo {
  std::string name;            ///< as in the model file, for example "layers.0.A"
  std::vector<int64_t> shape;  ///< (rows, columns)
  int64_t size = 0;            ///< number of values
  bool sparse = false;         ///< an n-gram or match table: a position looks up one of its rows
};

/// The recurrent state of `batch_size` independent texts: every layer's h, (B, N), and the latest
/// bytes of each text, for n-grams and matches. A copy is independent of the original.
class State {
 public:
  State(const State& other);
  State(State&&) noexcept;
  State& operator=(State&&) noexcept;
  ~State();

  int64_t batch_size() const;

  struct Impl;

 private:
  friend class Model;
  friend struct Access;
  explicit State(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Cross-entropy of a text under a model, by the protocol of docs/evaluation.md. NaN for a text of
/// no bytes.
struct Score {
  double nats_per_byte = 0;
  double bits_per_byte = 0;
  double perplexity = 0;  ///< per byte: exp(nats_per_byte)
  int64_t num_bytes = 0;
};

/// Memory in bytes, planned from the configs before anything is allocated.
struct MemoryPlan {
  int64_t weights = 0;    ///< parameters, and packed copies of them that the kernels read
  int64_t optimizer = 0;  ///< gradients and AdamW's two moments, while training
  int64_t window = 0;     ///< everything else of a training step on train_config's window
  int64_t state = 0;      ///< of one text in generation, with the memory of one step
};

/// A byte-level language model. Arrays are time-major and row-major: bytes uint8 (T, B), logits
/// float32 (T, B, 256). Const members may run on several threads at once, each with its own State.
/// Shapes that are out of range or a State of another model are Error(config).
class Model {
 public:
  /// Fresh weights. Throws Error(config) or Error(device).
  explicit Model(const Config& config, const ModelOptions& options = {});
  /// The same, and remembers the preset's training config as this model's own.
  explicit Model(const Preset& preset, const ModelOptions& options = {});
  /// Throws Error(io) if the file cannot be read, Error(format) if it is not a model.
  static Model load(const std::string& path, const ModelOptions& options = {});
  Model(Model&&) noexcept;
  Model& operator=(Model&&) noexcept;
  ~Model();

  /// Writes to a temporary file beside `path`, syncs and renames: `path` is never half-written.
  /// dtype: "float32" keeps every bit, "float16" and "int8" (a scale for each row) round.
  void save(const std::string& path, const std::string& dtype = "float32") const;

  const Config& config() const;
  /// How to train this model where a Trainer is not told otherwise: as its preset or its file says.
  /// Training does not change it. set_train_config throws Error(config) for values out of range.
  const TrainConfig& train_config() const;
  void set_train_config(const TrainConfig& train_config);
  /// The config of its latest Trainer::fit as used (History::config); nothing if there was none.
  const std::optional<TrainConfig>& last_run() const;
  const std::string& device() const;
  const std::string& precision() const;  ///< "auto" is resolved
  int64_t num_parameters() const;
  /// The bytes of the texts that Trainer::fit trained it on. Nothing where they are not known: the
  /// model is untrained, was trained in another way, or its file does not say.
  std::optional<ByteSet> seen_bytes() const;
  MemoryPlan memory() const;

  /// In the order of the flat buffers that parameters() and gradients() fill.
  const std::vector<TensorInfo>& tensors() const;
  /// out: num_parameters() floats, one tensor after the other.
  void parameters(float* out) const;
  /// Throws Error(config) for an unknown name, another size, or a value that is not finite.
  void set_parameter(const std::string& name, const float* values, int64_t size);

  /// Zero state for `batch_size` texts.
  State new_state(int64_t batch_size = 1) const;
  /// One byte per text: tokens (B,) in, logits (B, 256) out; `state` moves on by one byte.
  void step(const uint8_t* tokens, State& state, float* logits) const;
  /// inputs (T, B) -> out (T, B, 256). `state`, if given, is where the texts start and moves on by
  /// T.
  void logits(const uint8_t* inputs, int64_t seq_len, int64_t batch_size, State* state,
              float* out) const;
  /// Mean cross-entropy in nats of targets (T, B) after inputs (T, B).
  float loss(const uint8_t* inputs, const uint8_t* targets, int64_t seq_len, int64_t batch_size,
             State* state = nullptr) const;
  /// The loss, and in `out` its gradient by every parameter: num_parameters() floats. BPTT covers
  /// the whole window and is truncated at its start: no gradient flows into `state`.
  float gradients(const uint8_t* inputs, const uint8_t* targets, int64_t seq_len,
                  int64_t batch_size, State* state, float* out) const;

  /// Scores a text of any length in constant memory. `log_probs`, if given, takes `size` floats:
  /// the natural logarithm of each byte's probability. The result does not depend on threads or
  /// batch.
  Score score(const uint8_t* data, size_t size, float* log_probs = nullptr) const;
  Score score(std::string_view text) const;
  /// What `score` gives for each of the texts alone, computed in batches; texts may be empty.
  /// `log_probs`, if given, takes the values of all texts, one text after the other.
  std::vector<Score> score_many(const std::vector<std::string_view>& texts,
                                float* log_probs = nullptr) const;
  /// The model's own probabilities (256) of the byte after `prefix`, with nothing before it. In a
  /// model of documents they are of either spelling, and sum to 1 less that of the document's end.
  std::vector<double> next_byte_probs(std::string_view prefix = {}) const;

  /// Dynamic evaluation: scores a text as one stream in short windows, and updates a copy of the
  /// weights after each. A byte's probability depends on all bytes before it.
  Score score_adapting(const uint8_t* data, size_t size, float* log_probs = nullptr) const;
  /// Dynamic evaluation that keeps the updated weights. If it throws, the model is unchanged.
  Score adapt(const uint8_t* data, size_t size, float* log_probs = nullptr);

  struct Impl;

 private:
  friend struct Access;
  explicit Model(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace slm
