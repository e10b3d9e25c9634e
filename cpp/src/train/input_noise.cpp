#include "train/input_noise.h"

#include "numerics/philox.h"

namespace slm {

// Bytes of the window come as often as in the text, so that the noise is no easier to see than a
// misprint. (Xie et al.: "Data noising as smoothing in neural network language models", ICLR 2017,
// draw from the unigrams likewise.)
Window InputNoise::corrupt(const Window& window, float share, uint64_t seed, uint64_t first) {
  if (share <= 0) return window;
  const auto size = static_cast<uint64_t>(window.seq_len * window.batch_size);
  const Philox random(seed, PhiloxStream::noise);
  const double below = double{share} * 4294967296.0;
  inputs_.assign(window.inputs, window.inputs + size);
  for (uint64_t i = 0; i < size; ++i) {
    if (window.starts != nullptr && window.starts[i] != 0) continue;
    const auto bits = random.bits(first + i);
    if (bits[0] < below) inputs_[i] = window.inputs[uint64_t{bits[1]} * size >> 32];
  }
  Window noisy = window;
  noisy.inputs = inputs_.data();
  return noisy;
}

}  // namespace slm
