#pragma once

namespace slm {

// Throws Error(cancelled) if this thread's innermost Interrupt says so. Cheap: the poll function is
// called at most every 20 ms. Called by whoever runs a chunk of a long computation.
void poll_interrupt();

}  // namespace slm
