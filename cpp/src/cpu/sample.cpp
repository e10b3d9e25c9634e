// Bytes sampled from the logits of the latest head_logits.
#include "cpu/cpu_backend.h"
#include "numerics/sampling.h"

namespace slm {

void CpuBackend::sample(Workspace& workspace, const SampleOptions& options,
                        const SampleRequest* requests, int64_t count, uint8_t* bytes) const {
  sample_bytes(static_cast<CpuWorkspace&>(workspace).logits.get(), options, requests, count, bytes);
}

}  // namespace slm
