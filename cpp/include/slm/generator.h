#pragma once
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "slm/model.h"

namespace slm {

/// How the next byte is sampled; the filters apply in this order (docs/sampling.md). Values out of
/// range are Error(config).
struct SampleOptions {
  float temperature = 1.0f;  ///< 0: greedy, the lower byte on ties
  int top_k = 0;             ///< keep the k most probable; 0: all
  float top_p = 1.0f;        ///< nucleus: smallest set with cumulative probability at least p
  float min_p = 0.0f;        ///< drop bytes less probable than min_p times the most probable
  uint64_t seed = 0;
  std::vector<std::string> stop = {};  ///< stop sequences; not returned
  /// The bytes that may be sampled. Without a value: those of the model's training text
  /// (Model::seen_bytes), or all where they are not known.
  std::optional<ByteSet> allowed = {};
  /// Above 1: makes the bytes that the text already has less probable. Their logits are divided by
  /// this if they are above 0, and else multiplied by it.
  float repetition_penalty = 1.0f;
  std::map<uint8_t, float> logit_bias = {};  ///< added to a byte's logit; -infinity bans the byte
  bool include_stop = false;  ///< a sample that a stop sequence ends has it at its end
  bool ignore_end = false;    ///< never sample the end of a document (Config::documents)
  /// A sample that `max_bytes` ends does not end inside a UTF-8 character. It has up to three bytes
  /// less then. Prompts and samples that are not UTF-8 are cut anywhere.
  bool whole_characters = true;
};

/// Why a sample ended: at `max_bytes`, at a stop sequence, where the model ended the document, or
/// because the callback returned false.
enum class FinishReason { length, stop, end, cancelled };

struct Sample {
  std::string text;
  FinishReason finish_reason = FinishReason::length;
  std::string stop;  ///< the stop sequence that ended it, or empty
};

/// Generates text from a model, which must outlive it. Sample i depends on the model, the prompt,
/// the options and i, and not on the other samples or the threads.
class Generator {
 public:
  explicit Generator(const Model& model, const SampleOptions& options = {});
  Generator(Generator&&) noexcept;
  ~Generator();

  /// Up to `max_bytes` bytes that continue `prompt` (any bytes; empty: the start of a text).
  /// `on_bytes` is called with whole UTF-8 characters as they are generated, and returns false to
  /// stop. Throws Error(training) if the logits are not finite, Error(config) if the options leave
  /// no byte to sample.
  std::string generate(std::string_view prompt, int64_t max_bytes,
                       const std::function<bool(std::string_view)>& on_bytes = {});
  /// `num_samples` continuations of one prompt, computed as one batch.
  std::vector<Sample> generate_samples(std::string_view prompt, int64_t max_bytes,
                                       int64_t num_samples);
  /// `num_samples` continuations of each prompt, first those of the first one, computed as one
  /// batch. Each is what generate_samples gives for its prompt.
  std::vector<Sample> generate_batch(const std::vector<std::string>& prompts, int64_t max_bytes,
                                     int64_t num_samples = 1);

  /// Sample 0 piece by piece: start() reads the prompt, then each next() returns the bytes that are
  /// ready (whole UTF-8 characters that cannot be part of a stop sequence), or "" at the end.
  void start(std::string_view prompt, int64_t max_bytes);
  std::string next();

  /// Why the sample of the latest generate(), or of start() and next(), ended, and the stop
  /// sequence that ended it, if one did. No reason before its end.
  std::optional<FinishReason> finish_reason() const;
  const std::string& stop() const;

  struct Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace slm
