// Built with sanitizers alone: that they find faults which are planted, so that what they do not
// report in the other tests means something.
#include <sys/wait.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <string_view>
#include <thread>
#include <vector>

#include "check.h"

namespace {

bool has(std::string_view sanitizer) {
  return std::string_view(SLM_SANITIZE).find(sanitizer) != std::string_view::npos;
}

// Whether a process that does this ends with an error. What it says is thrown away.
template <class F>
bool is_found(const F& fault) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (std::freopen("/dev/null", "w", stderr) == nullptr) std::exit(0);
    fault();
    std::exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status != 0;
}

volatile int size = 4, most = INT_MAX, sink;

void race() {
  int shared = 0;
  const auto count = [&shared] {
    for (int i = 0; i < 1000; ++i) ++shared;
  };
  std::thread other(count);
  count();
  other.join();
  sink = shared;
}

void use_after_free() {
  int* values = new int[static_cast<size_t>(size)]();
  int* volatile kept = values;
  delete[] values;
  sink = kept[0];
}

}  // namespace

int main() {
  CHECK(!is_found([] { sink = size + 1; }));
  CHECK(is_found([] { sink = std::vector<int>(4)[static_cast<size_t>(size)]; }));
  if (has("address")) {
    CHECK(is_found([] { sink = std::vector<int>(4).data()[size]; }));
    CHECK(is_found(use_after_free));
  }
  if (has("undefined")) CHECK(is_found([] { sink = most + size; }));
  if (has("thread")) CHECK(is_found(race));
  return test_result();
}
