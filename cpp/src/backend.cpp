#include "backend.h"

#include <algorithm>

#include "cpu/cpu_backend.h"
#include "sample/sampler.h"

namespace slm {
namespace {

const Kernels& kernels_of(const std::string& precision) {
  if (precision == "float32") return active_kernels();
  const Kernels* kernels = bf16_kernels();
  if (kernels == nullptr)
    throw Error(
        ErrorKind::device,
        "precision \"bf16\" needs a CPU with AVX512-BF16, and the kernels in use here are " +
            isa_name() + "; use precision \"float32\"");
  return *kernels;
}

}  // namespace

void Backend::draw(Workspace& workspace, const SampleOptions& options, const DrawAt* where,
                   int64_t count, uint8_t* bytes) const {
  int64_t rows = 0;
  for (int64_t i = 0; i < count; ++i) rows = std::max(rows, where[i].row + 1);
  std::vector<float> logits(static_cast<size_t>(rows * kVocabSize));
  read_logits(workspace, rows, logits.data());
  for (int64_t i = 0; i < count; ++i)
    bytes[i] = draw_byte(logits.data() + where[i].row * kVocabSize, options, where[i].sample,
                         where[i].position);
}

std::shared_ptr<const Backend> make_backend(const std::string& device, int threads,
                                            const std::string& precision) {
  if (threads < 0 || threads > kMaxThreads)
    throw Error(ErrorKind::config, "threads is " + std::to_string(threads) + ", expected 1 to " +
                                       std::to_string(kMaxThreads) +
                                       ", or 0 for one per core that may be used");
  if (precision != "float32" && precision != "bf16")
    throw Error(ErrorKind::config,
                "precision is \"" + precision + "\", expected \"float32\" or \"bf16\"");
  if (device == "cuda" || (device == "auto" && has_cuda_device())) {
    if (precision != "float32")
      throw Error(ErrorKind::device, "precision \"" + precision +
                                         "\" is computed on the CPU alone; use device \"cpu\" or "
                                         "precision \"float32\"");
    return make_cuda_backend();
  }
  if (device == "cpu" || device == "auto")
    return std::make_shared<CpuBackend>(threads, kernels_of(precision));
  throw Error(ErrorKind::device,
              "device is \"" + device + "\", expected \"auto\", \"cpu\" or \"cuda\"");
}

}  // namespace slm
