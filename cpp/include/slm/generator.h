#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "slm/model.h"

namespace slm {

/// How the next byte is drawn, applied in this order (docs/sampling.md).
struct SampleOptions {
  float temperature = 1.0f;  ///< 0: always the most probable byte, the lower one on ties
  int top_k = 0;             ///< keep the k most probable; 0: all
  float top_p = 1.0f;        ///< nucleus: the shortest prefix whose sum reaches p
  float min_p = 0.0f;        ///< drop what is below min_p times the most probable
  uint64_t seed = 0;
  std::vector<std::string> stop = {};  ///< ends a sample; not returned
};

/// Draws text from a model, which must outlive it. Sample i depends on the seed and on i alone.
class Generator {
 public:
  explicit Generator(const Model& model, const SampleOptions& options = {});
  Generator(Generator&&) noexcept;
  ~Generator();

  /// Up to `max_bytes` bytes after `prompt` (any bytes; empty: the start of a text), without it.
  /// `on_bytes` is handed whole UTF-8 characters as they come, and returns false to stop.
  std::string generate(std::string_view prompt, int64_t max_bytes,
                       const std::function<bool(std::string_view)>& on_bytes = {});
  /// `num_samples` continuations of one prompt, computed as one batch.
  std::vector<std::string> generate_samples(std::string_view prompt, int64_t max_bytes,
                                            int64_t num_samples);

  /// The same by hand, sample 0: reads the prompt, then next() returns the bytes that are ready
  /// (whole UTF-8 characters that cannot be part of a stop string) and empty at the end.
  void start(std::string_view prompt, int64_t max_bytes);
  std::string next();

  struct Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace slm
