// The device's sampler draws the bytes of the host's: whatever the options, with ties, from logits
// of a few or of all bytes.
#include <limits>

#include "compare_backends.h"
#include "numerics/sampling.h"
#include "slm/generator.h"

namespace {

constexpr int64_t kRows = 5;

slm::Config config() {
  slm::Config config;
  config.embed_dim = 2;
  config.state_dim = 2;
  config.num_layers = 1;
  return config;
}

// A workspace whose latest logits are these.
struct Sampled {
  explicit Sampled(const Floats& logits)
      : workspace(backend.make_workspace(config(), {1, kRows, /*training=*/false})) {
    auto& ws = static_cast<slm::CudaWorkspace&>(*workspace);
    backend.write(logits.data(), kRows * slm::kVocabSize, ws.logits, 0);
  }
  Bytes sample(const slm::SampleOptions& options, const std::vector<slm::SampleRequest>& where) {
    Bytes bytes(where.size());
    backend.sample(*workspace, options, where.data(), static_cast<int64_t>(where.size()),
                   bytes.data());
    return bytes;
  }

  slm::CudaBackend backend;
  std::unique_ptr<slm::Workspace> workspace;
};

void check_samples(const Floats& logits, const slm::SampleOptions& options) {
  Sampled device(logits);
  // Not all rows, and not in order.
  std::vector<slm::SampleRequest> where = {{3, 7, 1}, {0, 0, uint64_t{1} << 40}, {4, 8, 2}};
  where[1].candidates = slm::ByteSet("abcdefg \n\xff");
  where[1].repeated = slm::ByteSet("aceg\xff");
  where[2].repeated = slm::ByteSet::all();
  Bytes expected(where.size());
  slm::sample_bytes(logits.data(), options, where.data(), static_cast<int64_t>(where.size()),
                    expected.data());
  const Bytes sampled = device.sample(options, where);
  for (size_t i = 0; i < where.size(); ++i) {
    CHECK_EQ(sampled[i], expected[i]);
    ++values_compared;
  }
}

void test_options(const Floats& logits) {
  for (const float temperature : {0.0f, 0.7f, 5.0f})
    for (const int top_k : {0, 1, 7, 300})
      for (const float top_p : {1.0f, 0.6f, 1e-6f})
        for (const float min_p : {0.0f, 0.2f})
          for (const bool adjusts : {false, true}) {
            slm::SampleOptions options = {temperature, top_k, top_p, min_p, 42, {}};
            if (adjusts) options.repetition_penalty = 1.3f;
            if (adjusts) options.logit_bias = {{'a', 1.5f}, {'c', -2.0f}, {0, 0.25f}};
            check_samples(logits, options);
          }
}

Floats logits_of(float spread, uint32_t seed) {
  return random_floats(kRows * slm::kVocabSize, seed, -spread, spread);
}

void test_logits() {
  test_options(logits_of(6, 1));
  test_options(logits_of(200, 2));  // most probabilities are zero
  Floats ties = logits_of(3, 3);
  for (float& logit : ties) logit = std::floor(logit);
  test_options(ties);
  test_options(Floats(kRows * slm::kVocabSize, 1.5f));
}

// Only in a row that is drawn from.
void test_not_finite() {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    Floats logits = logits_of(1, 4);
    logits[2 * slm::kVocabSize + 77] = bad;
    Sampled device(logits);
    for (const float temperature : {0.0f, 1.0f}) {
      const slm::SampleOptions options = {temperature, 0, 1, 0, 0, {}};
      CHECK_EQ(device.sample(options, {{1, 0, 0}, {3, 0, 0}}).size(), 2);
      CHECK_THROWS(slm::ErrorKind::training, "logit for byte 77",
                   device.sample(options, {{1, 0, 0}, {2, 0, 0}}));
    }
  }
}

}  // namespace

int main() {
  test_logits();
  test_not_finite();
  return comparison_result();
}
