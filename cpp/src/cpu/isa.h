#pragma once
// Selects the set of kernels, once per process: the best that this CPU can run, or the one that the
// environment variable SLM_FORCE_ISA names.
#include <string>
#include <vector>

#include "cpu/kernels.h"

namespace slm {

// Every set compiled into this build that this CPU can run, the plain one ("scalar") first.
std::vector<const Kernels*> available_kernels();

// Throws Error(device) if SLM_FORCE_ISA names one that is unknown or that this CPU cannot run.
const Kernels& active_kernels();

// The sets that round the operands of matrix products to bf16, the best one last: none where the
// active one is not AVX-512's or this CPU cannot run them. They are never selected automatically;
// precision "bf16" asks for them.
std::vector<const Kernels*> available_bf16_kernels();
const Kernels* bf16_kernels();  // the best one, or nullptr
// Whether the best one was measured to be faster than the active one (docs/precision.md): with AMX,
// and with AVX512-BF16 on AMD's CPUs, but not on Intel's.
bool bf16_is_faster();

inline std::string isa_name() { return active_kernels().name; }

}  // namespace slm
