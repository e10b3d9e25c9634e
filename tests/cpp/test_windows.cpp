// Which bytes each step sees: whole windows of "\n" + text, and the same ones for the same step.
#include <sys/mman.h>

#include <set>

#include "check.h"
#include "text/beginnings.h"
#include "text/documents.h"
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

const std::string kEnd(1, static_cast<char>(slm::kEndByte));

// Marks where a text starts by '^', so that what a row reads is seen at once.
std::string marked(const Window& window, int64_t b) {
  std::string bytes;
  for (int64_t t = 0; t < window.seq_len; ++t) {
    const auto i = static_cast<size_t>(t * window.batch_size + b);
    if (window.starts != nullptr && window.starts[i] != 0) bytes += '^';
    bytes += static_cast<char>(window.inputs[i]);
  }
  return bytes;
}

// At a document, the byte before its first one is kFirstByte; after the last comes the first.
void test_documents() {
  const std::string text = "ab" + kEnd + kEnd + "c" + kEnd;  // the second one is empty
  WindowSampler stream(text, config(slm::Sampling::stream, 6, 2), true);
  const Window window = stream.window(0);
  CHECK_EQ(marked(window, 0), "^\nab^\n^\nc");
  CHECK_EQ(row(window.targets, window, 0), text);
  CHECK_EQ(marked(window, 1), "^\n^\nc^\nab");
  CHECK_EQ(row(window.targets, window, 1), kEnd + "c" + kEnd + "ab" + kEnd);
  CHECK_EQ(marked(stream.window(5), 0), "^\nab^\n^\nc");

  // An end that stands for itself is a byte as any other.
  const std::string escaped = slm::escape("a" + kEnd) + kEnd;
  WindowSampler whole(escaped, config(slm::Sampling::stream, 4, 1), true);
  CHECK_EQ(marked(whole.window(0), 0), "^\n" + escaped.substr(0, 3));

  WindowSampler random(text, config(slm::Sampling::random, 3, 4), true);
  std::set<std::string> seen;
  for (int64_t step = 0; step < 40; ++step)
    for (int64_t b = 0; b < 4; ++b) seen.insert(marked(random.window(step), b));
  CHECK(seen == std::set<std::string>({"^\nab", "ab^\n", "b^\n^\n", "^\n^\nc"}));
}

// No byte of another document, and the first byte as what was read before a document's.
void test_history_of_documents() {
  const std::string text = "abcd" + kEnd + "ef" + kEnd;
  for (const slm::Sampling sampling : {slm::Sampling::stream, slm::Sampling::random}) {
    WindowSampler sampler(text, config(sampling, 1, 2), true);
    std::set<std::string> seen;
    for (int64_t step = 0; step < 60; ++step) {
      const Window window = sampler.window(step);
      for (int64_t b = 0; b < 2; ++b)
        seen.insert(history(sampler, step, 2, b) + "|" + marked(window, b) +
                    row(window.targets, window, b));
    }
    CHECK(seen == std::set<std::string>({"000|^\na", "00\n|ab", "0\na|bc", "\nab|cd",
                                         "abc|d" + kEnd, "000|^\ne", "00\n|ef", "0\ne|f" + kEnd}));
  }
}

void test_beginnings() {
  const auto find = slm::find_beginning;
  CHECK_EQ(find("ab\ncd\n\r\n\nef\n\n", 0, false), 9);  // after the empty lines
  CHECK_EQ(find("ab\ncd\n\nef\n\n", 7, false), 0);      // round the end
  CHECK_EQ(find("ab\ncd\nef", 1, false), 3);
  CHECK_EQ(find("ab\ncd\nef", 6, false), 6);            // nowhere: there
  CHECK_EQ(find("a\xd0\xb6z", 2, false), 3);            // not within a character
  CHECK_EQ(find(std::string(4, '\x80'), 0, false), 3);  // which has at most four bytes
  CHECK_EQ(find("ab\n\ncd" + kEnd + "ef" + kEnd, 0, true), 7);
  CHECK_EQ(find("ab\n\ncd" + kEnd + "ef" + kEnd, 7, true), 0);
  CHECK_EQ(find("ab\n\ncd" + kEnd + "ef" + kEnd, 0, false), 4);
  CHECK_EQ(find(slm::escape("ab" + kEnd) + "cd" + kEnd, 1, true), 0);
  CHECK_EQ(find("\xfe\xff" + std::string(5000, 'x'), 1, true), 2);  // not within an escape
  CHECK_EQ(find(std::string(5000, 'x') + "\n\nyy", 0, false), 0);   // too far
}

// The last rows are cold: pieces that begin at lines, one after the other.
void test_cold_rows() {
  std::string text;
  for (char c = 'a'; c <= 'z'; ++c) text += std::string(static_cast<size_t>(c - 'a') * 3, c) + "\n";
  slm::TrainConfig how = config(slm::Sampling::stream, 80, 5);
  how.cold_fraction = 0.4f;
  WindowSampler sampler(text, how), again(text, how);
  how.batch_size = 3;
  how.cold_fraction = 0;
  WindowSampler warm(text, how);
  std::set<size_t> beginnings;
  for (int64_t step = 0; step < 200; ++step) {
    const Window window = sampler.window(step), streams = warm.window(step);
    for (int64_t b = 0; b < 3; ++b) CHECK_EQ(marked(window, b), marked(streams, b));
    for (int64_t b = 3; b < 5; ++b) {
      const std::string read = marked(window, b);
      CHECK_EQ(read.substr(0, 2), "^\n");
      CHECK_EQ(history(sampler, step, 5, b), "000");
      const std::string targets = row(window.targets, window, b);
      for (size_t at = 0, t = 0; at < read.size();) {
        const size_t next = std::min(read.find('^', at + 1), read.size());
        const std::string inputs = read.substr(at + 1, next - at - 1);
        const auto size = static_cast<size_t>(slm::kColdPiece);
        const size_t begin = ("\n" + text).find(inputs + targets.substr(t + inputs.size() - 1, 1));
        CHECK(begin != std::string::npos);
        // A piece ends early only at the end of the text or of the window.
        CHECK(inputs.size() == size || begin + inputs.size() == text.size() ||
              t + inputs.size() == 80);
        CHECK(inputs.size() <= size);
        beginnings.insert(begin);
        t += inputs.size(), at = next;
      }
    }
  }
  CHECK(beginnings.size() > 20);
  const Window late = again.window(199), same = sampler.window(199);
  CHECK_EQ(marked(late, 4), marked(same, 4));
  how.cold_fraction = 1;
  CHECK_EQ(marked(WindowSampler(text, how).window(3), 0).substr(0, 2), "^\n");
}

// Where not even half of a row is to be cold, as many bytes of the last row follow a start.
void test_few_starts() {
  const std::string text = "To be, or not to be:\nthat is the question.\n";
  slm::TrainConfig how = config(slm::Sampling::stream, 64, 1);
  WindowSampler plain(text + text, how);
  how.cold_fraction = 0.25f;
  WindowSampler sampler(text + text, how);
  int64_t starts = 0;
  for (int64_t step = 0; step < 1000; ++step) {
    const Window window = sampler.window(step), as_before = plain.window(step);
    CHECK_EQ(row(window.targets, window, 0), row(as_before.targets, as_before, 0));
    for (int64_t t = 0; t < 64; ++t) {
      starts += window.starts[t];
      CHECK_EQ(window.inputs[t], window.starts[t] != 0 ? '\n' : as_before.inputs[t]);
    }
  }
  CHECK_NEAR(static_cast<double>(starts), 0.25 * 2 * 1000, 60);
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
  slm::TrainConfig cold = config(slm::Sampling::stream, 16, 4);
  cold.cold_fraction = 1;
  WindowSampler sampler(text, cold);
  const Window window = sampler.window(7);
  CHECK_EQ(marked(window, 1), "^\n" + std::string(15, '\0'));
  munmap(memory, size);
}

}  // namespace

int main() {
  test_random();
  test_whole_text();
  test_stream();
  test_history();
  test_documents();
  test_history_of_documents();
  test_beginnings();
  test_cold_rows();
  test_few_starts();
  test_large_text();
  return test_result();
}
