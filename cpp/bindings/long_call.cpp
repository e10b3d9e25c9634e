#include "long_call.h"

#include <atomic>
#include <chrono>
#include <thread>

namespace slm::python {
namespace {

std::atomic<bool> ended{false};
std::thread::id ending_thread;

}  // namespace

void stop_at_exit() {
  ending_thread = std::this_thread::get_id();
  ended = true;
}

void wait_if_ended() {
  while (ended && std::this_thread::get_id() != ending_thread)
    std::this_thread::sleep_for(std::chrono::hours(1));
}

void register_exit(py::module_&) {
  py::module_::import("atexit").attr("register")(py::cpp_function(&stop_at_exit));
}

}  // namespace slm::python
