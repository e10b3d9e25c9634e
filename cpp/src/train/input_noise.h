#pragma once
// Inputs of which some bytes are others: what stands in a text is not quite what was learned from.
#include <vector>

#include "text/window.h"

namespace slm {

class InputNoise {
 public:
  // The window with a share of its inputs replaced by bytes from other places of it; the targets
  // stay, and so do the inputs at which a text starts. Position (t, b) draws number first + t *
  // batch_size + b. What is returned points into this object until the next call.
  Window corrupt(const Window& window, float share, uint64_t seed, uint64_t first);

 private:
  std::vector<uint8_t> inputs_;  // (T, B)
};

}  // namespace slm
