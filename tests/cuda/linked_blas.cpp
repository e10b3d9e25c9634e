// In the emulated tests cuBLAS is linked, not loaded.
#include "load_cublas.h"
#include "plain_blas.h"

namespace slm {

const Cublas& use_cublas() {
  static const Cublas functions{cublasCreate_v2,       cublasDestroy_v2, cublasSetStream_v2,
                                cublasSetWorkspace_v2, cublasGemmEx,     cublasGemmStridedBatchedEx,
                                cublasGetStatusString};
  return functions;
}

}  // namespace slm
