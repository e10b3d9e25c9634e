// Which bytes each step sees: whole windows of "\n" + text, and the same ones for the same step.
#include <sys/mman.h>

#include <set>

#include "check.h"
#include "text/windows.h"

using slm::ErrorKind;
using slm::Window;
using slm::WindowSampler;

namespace {

slm::TrainConfig config(slm::Sampling sampling, int64_t seq_len, int64_t batch_size) {
  slm::TrainConfig config;
  config.sampling = sampling;
  config.seq_len = seq_len;
  config.batch_size = batch_size;
  config.seed = 7;
  return config;
}

std::string row(const uint8_t* tokens, const Window& window, int64_t b) {
  std::string bytes;
  for (int64_t t = 0; t < window.seq_len; ++t)
    bytes += static_cast<char>(tokens[t * window.batch_size + b]);
  return bytes;
}

void test_random() {
  const std::string text = "abcdefghij", virtual_text = "\n" + text;
  WindowSampler sampler(text, config(slm::Sampling::random, 4, 3)),
      again(text, config(slm::Sampling::random, 4, 3));
  std::set<size_t> positions;
  for (int64_t step = 0; step < 60; ++step) {
    const Window window = sampler.window(step);
    for (int64_t b = 0; b < 3; ++b) {
      const size_t at = virtual_text.find(row(window.inputs, window, b));
      CHECK(at <= virtual_text.size() - 5);
      CHECK_EQ(row(window.targets, window, b), virtual_text.substr(at + 1, 4));
      positions.insert(at);
    }
  }
  CHECK_EQ(positions.size(), 7);  // every position that holds a whole window, the first included

  // A step's windows do not depend on the steps before it.
  const Window late = again.window(59), same = sampler.window(59);
  CHECK_EQ(row(late.inputs, late, 2), row(same.inputs, same, 2));
}

void test_whole_text() {
  WindowSampler sampler("xy", config(slm::Sampling::random, 2, 1));
  const Window window = sampler.window(0);
  CHECK_EQ(row(window.inputs, window, 0), "\nx");
  CHECK_EQ(row(window.targets, window, 0), "xy");
  CHECK_EQ(slm::fitting_window("xy", 128), 2);
  CHECK_EQ(slm::fitting_window("xy", 1), 1);
  CHECK_THROWS(ErrorKind::config, "is empty", slm::fitting_window("", 128));
}

void test_stream() {
  const std::string text = "abcdefg";  // 8 bytes with the first one
  WindowSampler sampler(text, config(slm::Sampling::stream, 3, 2));
  Window window = sampler.window(0);
  CHECK_EQ(row(window.inputs, window, 0), "\nab");
  CHECK_EQ(row(window.targets, window, 0), "abc");
  CHECK_EQ(row(window.inputs, window, 1), "def");
  CHECK_EQ(row(window.targets, window, 1), "efg");
  window = sampler.window(1);
  CHECK_EQ(row(window.inputs, window, 0), "cde");
  CHECK_EQ(row(window.inputs, window, 1), "g\na");  // round the end
  CHECK_EQ(row(window.targets, window, 1), "\nab");
  window = sampler.window(8);
  CHECK_EQ(row(window.inputs, window, 0), "\nab");  // 8 steps of 3 go round three times
}

std::string history(const WindowSampler& sampler, int64_t step, int64_t batch_size, int64_t b) {
  std::vector<float> values(static_cast<size_t>(batch_size * 3));
  sampler.history(step, 3, values.data());
  std::string bytes;
  for (size_t i = 0; i < 3; ++i) {
    const float value = values[static_cast<size_t>(b) * 3 + i];
    bytes += value == 0 ? '0' : static_cast<char>(value - 1);
  }
  return bytes;
}

// The bytes before a row, and zeros where the text has none.
void test_history() {
  const std::string text = "abcdefghij", padded = "000\n" + text;
  WindowSampler sampler(text, config(slm::Sampling::random, 4, 3));
  for (int64_t step = 0; step < 60; ++step) {
    const Window window = sampler.window(step);
    for (int64_t b = 0; b < 3; ++b)
      CHECK_EQ(history(sampler, step, 3, b),
               padded.substr(padded.find(row(window.inputs, window, b)) - 3, 3));
  }
  const WindowSampler stream(text,
                             config(slm::Sampling::stream, 3, 2));  // 11 bytes: from 0 and from 5
  CHECK_EQ(history(stream, 0, 2, 0), "000");
  CHECK_EQ(history(stream, 0, 2, 1), "bcd");
  CHECK_EQ(history(stream, 1, 2, 0), "\nab");
  CHECK_EQ(history(stream, 2, 2, 1), "000");  // round the end

  float none = 7;
  sampler.history(0, 0, &none);
  CHECK_EQ(none, 7);
  float last = 0;
  WindowSampler bytes("\xff\xff", config(slm::Sampling::stream, 1, 1));
  bytes.history(2, 1, &last);
  CHECK_EQ(last, 256);
}

// Positions beyond 32 bits: four GiB and more of a mapping that takes no memory until it is
// touched.
void test_large_text() {
  const size_t size = (size_t{1} << 32) + 4096;
  void* memory = mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  CHECK(memory != MAP_FAILED);
  if (memory == MAP_FAILED) return;
  const std::string_view text(static_cast<const char*>(memory), size);
  for (const slm::Sampling sampling : {slm::Sampling::random, slm::Sampling::stream}) {
    WindowSampler sampler(text, config(sampling, 16, 4));
    const Window window = sampler.window(size);
    CHECK_EQ(row(window.targets, window, 3), std::string(16, '\0'));
  }
  munmap(memory, size);
}

}  // namespace

int main() {
  test_random();
  test_whole_text();
  test_stream();
  test_history();
  test_large_text();
  return test_result();
}
