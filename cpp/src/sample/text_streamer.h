#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace slm {

// The way out of one sample: bytes go in as they are drawn, and come out once they are whole UTF-8
// characters that can no longer be part of a stop string. `stops` must outlive it.
class TextStreamer {
 public:
  explicit TextStreamer(const std::vector<std::string>& stops, bool include_stop = false)
      : stops_(stops), include_stop_(include_stop) {}

  // A byte that completes a stop string closes the outlet; of several that end there, the longest
  // counts, and is taken off unless it is to be included. A closed outlet takes no byte.
  void push(uint8_t byte);
  // No byte will follow: what was held back is ready.
  void close();
  bool closed() const { return closed_; }
  // The stop string that closed it, or an empty one.
  const std::string& stop() const { return stop_; }
  // To be called before close() where the text was cut off.
  void drop_incomplete_character();
  // The bytes that have become ready since the last call.
  std::string take();

 private:
  const std::vector<std::string>& stops_;
  bool include_stop_;
  std::string ready_;
  std::string held_;  // starts at a character; a stop string still to come starts in it or after it
  std::string stop_;
  bool closed_ = false;
};

}  // namespace slm
