#include "pass/profile.h"

namespace slm {

Phases profile(const std::function<void()>& work) {
  Phases phases;
  struct Restore {
    Phases* const before = active_phases;
    ~Restore() { active_phases = before; }
  } restore;
  active_phases = &phases;
  work();
  return phases;
}

}  // namespace slm
