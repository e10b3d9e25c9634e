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

#ifdef SLM_HAS_AMX
// Linux gives a process the tile registers, whose 8 KiB are part of each thread's state, when it
// asks for them (since 5.16; Linux, Documentation/arch/x86/xstate.rst).
bool has_amx() {
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM
  constexpr unsigned kBf16AndTiles = 1u << 22 | 1u << 24;
  static const bool granted = [] {
    unsigned a = 0, b = 0, c = 0, features = 0;  // not every compiler knows them by name
    return __get_cpuid_count(7, 0, &a, &b, &c, &features) != 0 &&
           (features & kBf16AndTiles) == kBf16AndTiles &&
           __builtin_cpu_supports("avx512bf16") != 0 &&
           syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  }();
  return granted;
}
#endif

// A set of kernels that this build has.
struct Isa {
  const Kernels& kernels;
  bool (*runs_here)();
  // If it rounds to bf16: the set that it stands in for, and whether it was measured to be faster.
  const Kernels* float32 = nullptr;
  bool (*is_faster)() = nullptr;
};

// From the plainest to the best. This file is compiled without instruction set flags.
const Isa kIsas[] = {
    {kScalarKernels, [] { return true; }},
#ifdef SLM_HAS_X86
    {kAvx2Kernels,
     [] { return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0; }},
    {kAvx512Kernels,
     [] {
       return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512dq") != 0 &&
              __builtin_cpu_supports("avx512bw") != 0 && __builtin_cpu_supports("avx512vl") != 0;
     }},
#endif
#ifdef SLM_HAS_BF16
    {kAvx512Bf16Kernels, [] { return __builtin_cpu_supports("avx512bf16") != 0; }, &kAvx512Kernels,
     [] { return __builtin_cpu_is("amd") != 0; }},
#endif
#ifdef SLM_HAS_AMX
    {kAmxBf16Kernels, has_amx, &kAvx512Kernels, [] { return true; }},
#endif
#ifdef SLM_HAS_NEON
    {kNeonKernels, [] { return true; }},  // part of every 64-bit Arm
#endif
};

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
  for (const Isa& isa : kIsas)
    if (isa.float32 == nullptr && isa.runs_here()) available.push_back(&isa.kernels);
  return available;
}

const Kernels& active_kernels() {
  static const Kernels& kernels = choose();
  return kernels;
}

std::vector<const Kernels*> available_bf16_kernels() {
  std::vector<const Kernels*> available;
  for (const Isa& isa : kIsas)
    if (isa.float32 == &active_kernels() && isa.runs_here()) available.push_back(&isa.kernels);
  return available;
}

const Kernels* bf16_kernels() {
  const auto available = available_bf16_kernels();
  return available.empty() ? nullptr : available.back();
}

bool bf16_is_faster() {
  const Kernels* best = bf16_kernels();
  for (const Isa& isa : kIsas)
    if (&isa.kernels == best) return isa.is_faster();
  return false;
}

}  // namespace slm
