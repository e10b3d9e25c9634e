#include "load_cublas.h"

#include <dlfcn.h>

#include <string>

#include "slm/error.h"

namespace slm {
namespace {

template <class Function>
void find(void* library, const char* name, Function*& function) {
  function = reinterpret_cast<Function*>(dlsym(library, name));
  if (function == nullptr)
    throw Error(ErrorKind::device, std::string("the cuBLAS that was loaded has no function ") +
                                       name + "; slm needs that of CUDA 12 or 13");
}

// From a library that stays loaded until the program ends, since its device memory may be in use
// until then.
void* open_first(const std::vector<const char*>& names) {
  std::string reasons;
  for (const char* name : names) {
    if (void* library = dlopen(name, RTLD_NOW | RTLD_LOCAL)) return library;
    reasons += std::string(reasons.empty() ? "" : "; ") + dlerror();
  }
  throw Error(ErrorKind::device,
              "cuBLAS cannot be loaded (" + reasons +
                  "): pip install 'slm-core[cuda]' brings it, as does a CUDA toolkit");
}

}  // namespace

Cublas load_cublas(const std::vector<const char*>& names) {
  void* library = open_first(names);
  Cublas functions = {};
  find(library, "cublasCreate_v2", functions.create);
  find(library, "cublasDestroy_v2", functions.destroy);
  find(library, "cublasSetStream_v2", functions.set_stream);
  find(library, "cublasSetWorkspace_v2", functions.set_workspace);
  find(library, "cublasGemmEx", functions.gemm);
  find(library, "cublasGemmStridedBatchedEx", functions.gemm_batched);
  find(library, "cublasGetStatusString", functions.status_name);
  return functions;
}

const Cublas& use_cublas() {
  static const Cublas functions = load_cublas({"libcublas.so.13", "libcublas.so.12"});
  return functions;
}

}  // namespace slm
