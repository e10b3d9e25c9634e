#pragma once
// AddressSanitizer has to be told when a fiber goes on with another stack.
#undef _FORTIFY_SOURCE  // its longjmp takes a change of stacks for an attack
#include <setjmp.h>

#include <cstddef>

#include "../../cpp/sanitizer_macros.h"

#if SLM_ASAN
#include <dlfcn.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace emulate {

#if SLM_ASAN

// The C library's longjmp itself. AddressSanitizer's would first clear a whole stack's shadow.
inline void jump(jmp_buf to) {
  using Jump = void (*)(jmp_buf, int);
  static const auto c_longjmp =
      reinterpret_cast<Jump>(dlsym(dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD), "_longjmp"));
  c_longjmp(to, 1);
}

constexpr size_t kStackSize = 256 * 1024;  // red zones take much of it

// Tells the sanitizer of the switches to and from the stack of one fiber.
class StackSwitch {
 public:
  void to_fiber(const void* stack) {
    __sanitizer_start_switch_fiber(&scheduler_frames_, stack, kStackSize);
  }
  void in_fiber() { __sanitizer_finish_switch_fiber(frames_, &scheduler_, &scheduler_size_); }
  void to_scheduler() { __sanitizer_start_switch_fiber(&frames_, scheduler_, scheduler_size_); }
  void in_scheduler() { __sanitizer_finish_switch_fiber(scheduler_frames_, nullptr, nullptr); }

 private:
  void *frames_ = nullptr, *scheduler_frames_ = nullptr;
  const void* scheduler_ = nullptr;
  size_t scheduler_size_ = 0;
};

#else

inline void jump(jmp_buf to) { _longjmp(to, 1); }

constexpr size_t kStackSize = 64 * 1024;

struct StackSwitch {
  void to_fiber(const void*) {}
  void in_fiber() {}
  void to_scheduler() {}
  void in_scheduler() {}
};

#endif

}  // namespace emulate
