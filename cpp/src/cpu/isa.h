#pragma once
// Which set of kernels runs: chosen once per process as the best that this CPU has, or the one that
// the environment variable SLM_FORCE_ISA names.
#include <string>
#include <vector>

#include "cpu/kernels.h"

namespace slm {

// Every set compiled into this build that this CPU can run, the plain one ("scalar") first.
std::vector<const Kernels*> available_kernels();

// Throws Error(device) if SLM_FORCE_ISA names one that is unknown or that this CPU cannot run.
const Kernels& active_kernels();

// The set that rounds the operands of matrix products to bf16: nullptr where the active one is not
// AVX-512's or this CPU cannot run it. It is never chosen by itself.
const Kernels* bf16_kernels();

inline std::string isa_name() { return active_kernels().name; }

}  // namespace slm
