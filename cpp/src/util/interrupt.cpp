#include "util/interrupt.h"

#include <chrono>
#include <utility>

#include "slm/error.h"

namespace slm {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kInterval = std::chrono::milliseconds(20);

thread_local Interrupt* innermost = nullptr;
thread_local Clock::time_point next_poll{};

}  // namespace

Interrupt::Interrupt(std::function<bool()> poll) : poll_(std::move(poll)), outer_(innermost) {
  innermost = this;
  next_poll = {};
}

Interrupt::~Interrupt() { innermost = outer_; }

void poll_interrupt() {
  if (innermost == nullptr) return;
  const auto now = Clock::now();
  if (now < next_poll) return;
  next_poll = now + kInterval;
  if (innermost->poll_()) throw Error(ErrorKind::cancelled, "stopped by the caller");
}

}  // namespace slm
