// Stands in for cuda/ in a build for the CPU alone.
#include "backend.h"

namespace slm {

CudaDevice find_cuda_device() { return {false, "this build of slm is for the CPU alone"}; }

std::shared_ptr<const Backend> make_cuda_backend(const std::string&) {
  throw Error(ErrorKind::device, find_cuda_device().text);
}

void require_cublas() { throw Error(ErrorKind::device, find_cuda_device().text); }

}  // namespace slm
