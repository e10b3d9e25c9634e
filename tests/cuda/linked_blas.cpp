// In the emulated tests cuBLAS is linked, not loaded; it is missing where the device says so.
#include "load_cublas.h"
#include "plain_blas.h"
#include "slm/error.h"

namespace slm {

const Cublas& use_cublas() {
  if (!emulate::device.has_cublas) throw Error(ErrorKind::device, "cuBLAS cannot be loaded");
  static const Cublas functions{cublasCreate_v2,       cublasDestroy_v2, cublasSetStream_v2,
                                cublasSetWorkspace_v2, cublasGemmEx,     cublasGemmStridedBatchedEx,
                                cublasGetStatusString};
  return functions;
}

}  // namespace slm
