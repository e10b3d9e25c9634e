#include "backend.h"
#include "cpu/cpu_backend.h"
#include "util/require.h"

namespace slm {
namespace {

const Kernels& kernels_of(const std::string& precision) {
  if (precision == "float32") return active_kernels();
  if (precision == "tf32")
    throw Error(ErrorKind::device,
                "precision \"tf32\" is computed on CUDA devices alone; on the CPU use precision "
                "\"float32\" or \"bf16\"");
  const Kernels* kernels = bf16_kernels();
  if (kernels == nullptr)
    throw Error(
        ErrorKind::device,
        "precision \"bf16\" needs a CPU with AVX512-BF16, and the kernels in use here are " +
            isa_name() + "; use precision \"float32\"");
  return *kernels;
}

}  // namespace

std::shared_ptr<const Backend> make_backend(const std::string& device, int threads,
                                            const std::string& precision) {
  require("threads", threads, Range<int>{0, kMaxThreads});  // 0: one per core
  require_choice("precision", precision, {"float32", "bf16", "tf32", "auto"});
  require_choice("device", device, {"auto", "cpu", "cuda"}, ErrorKind::device);
  if (device != "cpu") {
    const CudaDevice cuda = find_cuda_device();
    if (cuda.usable) return make_cuda_backend(resolve_precision(precision, "cuda"));
    if (device == "cuda")
      throw Error(ErrorKind::device, "device \"cuda\" was asked for, but " + cuda.text +
                                         "; use device \"cpu\" or \"auto\"");
  }
  return std::make_shared<CpuBackend>(threads, kernels_of(resolve_precision(precision, "cpu")));
}

// On a GPU it was not measured yet what is faster.
std::string resolve_precision(const std::string& precision, const std::string& device) {
  if (precision != "auto") return precision;
  return device == "cpu" && bf16_is_faster() ? "bf16" : "float32";
}

}  // namespace slm
