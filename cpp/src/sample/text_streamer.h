#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace slm {

// The way out of one sample: bytes go in as they are drawn, and come out once they are whole UTF-8
// characters that can no longer be part of a stop string. `stops` must outlive it.
class TextStreamer {
 public:
  explicit TextStreamer(const std::vector<std::string>& stops) : stops_(stops) {}

  // A byte that completes a stop string closes the outlet; of several that end there, the longest
  // is taken off. A closed outlet takes no byte.
  void push(uint8_t byte);
  // No byte will follow: what was held back is ready.
  void close();
  bool closed() const { return closed_; }
  // The bytes that have become ready since the last call.
  std::string take();

 private:
  const std::vector<std::string>& stops_;
  std::string ready_;
  std::string held_;  // starts at a character; a stop string still to come starts in it or after it
  bool closed_ = false;
};

}  // namespace slm
