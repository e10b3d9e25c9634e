// Any bytes as a model and as a checkpoint: either they are refused by an Error, or what was read
// can be used and written.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>

#include "io/checkpoint.h"
#include "slm/slm.h"

namespace {

// A file in memory, by whose path it is read.
const int memory = ::memfd_create("fuzz", 0);
const std::string path = "/proc/self/fd/" + std::to_string(memory);

void fill_file(const uint8_t* data, size_t size) {
  if (::ftruncate(memory, 0) != 0 || ::pwrite(memory, data, size, 0) != static_cast<ssize_t>(size))
    std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fill_file(data, size);
  try {
    const slm::Model model = slm::Model::load(path, {0, "cpu", 1});
    model.score("any text");
    model.save("/dev/shm/fuzz_files.safetensors", "int8");
  } catch (const slm::Error&) {
  }
  try {
    slm::Checkpoint checkpoint = slm::load_checkpoint(path);
    slm::save_checkpoint("/dev/shm/fuzz_files.safetensors", slm::TensorTable(checkpoint.config),
                         checkpoint);
  } catch (const slm::Error&) {
  }
  return 0;
}
