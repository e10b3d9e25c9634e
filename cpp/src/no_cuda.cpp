// Stands in for cuda/ in a build for the CPU alone.
#include "backend.h"

namespace slm {

bool has_cuda_device() { return false; }

std::shared_ptr<const Backend> make_cuda_backend() {
  throw Error(ErrorKind::device,
              "device \"cuda\" was asked for, but this build of slm is for the CPU alone; use "
              "device \"cpu\" or \"auto\"");
}

}  // namespace slm
