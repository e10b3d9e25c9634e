#include "cpu/isa.h"

#include <cstdlib>

#include "slm/error.h"

#ifdef SLM_HAS_AMX
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace slm {
namespace {

struct Candidate {
  const Kernels* kernels;
  bool (*runs_here)();
};

// From the plainest to the best. This file is compiled without instruction set flags.
const Candidate kCandidates[] = {
    {&kScalarKernels, [] { return true; }},
#ifdef SLM_HAS_X86
    {&kAvx2Kernels,
     [] { return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0; }},
    {&kAvx512Kernels,
     [] {
       return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512dq") != 0 &&
              __builtin_cpu_supports("avx512bw") != 0 && __builtin_cpu_supports("avx512vl") != 0;
     }},
#endif
#ifdef SLM_HAS_NEON
    {&kNeonKernels, [] { return true; }},  // part of every 64-bit Arm
#endif
};

#ifdef SLM_HAS_AMX
// Linux gives a process the tile registers, whose 8 KiB are part of each thread's state, when it
// asks for them (since 5.16; Linux, Documentation/arch/x86/xstate.rst).
bool may_use_tiles() {
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM
  constexpr unsigned kBf16AndTiles = 1u << 22 | 1u << 24;
  static const bool granted = [] {
    unsigned a = 0, b = 0, c = 0, features = 0;  // not every compiler knows them by name
    return __get_cpuid_count(7, 0, &a, &b, &c, &features) != 0 &&
           (features & kBf16AndTiles) == kBf16AndTiles &&
           syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  }();
  return granted;
}
#endif

const Kernels& choose() {
  const auto available = available_kernels();
  const char* forced = std::getenv("SLM_FORCE_ISA");
  if (forced == nullptr || *forced == '\0') return *available.back();
  std::string names;
  for (const Kernels* kernels : available) {
    if (std::string(forced) == kernels->name) return *kernels;
    names += names.empty() ? kernels->name : std::string(", ") + kernels->name;
  }
  throw Error(ErrorKind::device, "SLM_FORCE_ISA is \"" + std::string(forced) +
                                     "\", but this build on this CPU can run: " + names);
}

}  // namespace

std::vector<const Kernels*> available_kernels() {
  std::vector<const Kernels*> available;
  for (const Candidate& candidate : kCandidates)
    if (candidate.runs_here()) available.push_back(candidate.kernels);
  return available;
}

const Kernels& active_kernels() {
  static const Kernels& kernels = choose();
  return kernels;
}

std::vector<const Kernels*> available_bf16_kernels() {
  std::vector<const Kernels*> available;
#ifdef SLM_HAS_BF16
  if (&active_kernels() != &kAvx512Kernels || __builtin_cpu_supports("avx512bf16") == 0) return {};
  available.push_back(&kAvx512Bf16Kernels);
#ifdef SLM_HAS_AMX
  if (may_use_tiles()) available.push_back(&kAmxBf16Kernels);
#endif
#endif
  return available;
}

bool rounds_to_bf16(const Kernels& kernels) {
#ifdef SLM_HAS_AMX
  if (&kernels == &kAmxBf16Kernels) return true;
#endif
#ifdef SLM_HAS_BF16
  if (&kernels == &kAvx512Bf16Kernels) return true;
#endif
  static_cast<void>(kernels);  // where there are none
  return false;
}

const Kernels* bf16_kernels() {
  const auto available = available_bf16_kernels();
  return available.empty() ? nullptr : available.back();
}

bool bf16_is_faster() {
  const Kernels* best = bf16_kernels();
#ifdef SLM_HAS_AMX
  if (best == &kAmxBf16Kernels) return true;
#endif
#ifdef SLM_HAS_BF16
  if (best == &kAvx512Bf16Kernels) return __builtin_cpu_is("amd") != 0;
#endif
  static_cast<void>(best);  // where there are none
  return false;
}

}  // namespace slm
