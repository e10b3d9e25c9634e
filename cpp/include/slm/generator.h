#pragma once
#include <functional>
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
  /// stop. Throws Error(training) if the logits are not finite.
  std::string generate(std::string_view prompt, int64_t max_bytes,
                       const std::function<bool(std::string_view)>& on_bytes = {});
  /// `num_samples` continuations of one prompt, computed as one batch.
  std::vector<std::string> generate_samples(std::string_view prompt, int64_t max_bytes,
                                            int64_t num_samples);

  /// Sample 0 piece by piece: start() reads the prompt, then each next() returns the bytes that are
  /// ready (whole UTF-8 characters that cannot be part of a stop sequence), or "" at the end.
  void start(std::string_view prompt, int64_t max_bytes);
  std::string next();

  struct Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace slm
