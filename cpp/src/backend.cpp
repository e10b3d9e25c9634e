#include "backend.h"

#include "cpu/cpu_backend.h"

namespace slm {

std::shared_ptr<const Backend> make_backend(const std::string& device, int threads) {
  if (threads < 0 || threads > kMaxThreads)
    throw Error(ErrorKind::config, "threads is " + std::to_string(threads) + ", expected 1 to " +
                                       std::to_string(kMaxThreads) +
                                       ", or 0 for one per core that may be used");
  if (device == "cuda" || (device == "auto" && has_cuda_device())) return make_cuda_backend();
  if (device == "cpu" || device == "auto") return std::make_shared<CpuBackend>(threads);
  throw Error(ErrorKind::device,
              "device is \"" + device + "\", expected \"auto\", \"cpu\" or \"cuda\"");
}

}  // namespace slm
