#pragma once
// Copies from the host that do not wait for the device: the values are staged in pinned memory,
// which the device reads when it gets there.
#include <cstring>

#include "update_result.cuh"

namespace slm {

class Staging {
 public:
  explicit Staging(const Stream& stream) : stream_(stream) {}

  // On return the memory at `from` may be used again.
  void copy(const void* from, size_t bytes, void* to) const {
    if (bytes == 0) return;
    const std::lock_guard<std::mutex> lock(mutex_);
    if (bytes > kMostBytes) {  // large copies (weights) are synchronous: not on the critical path
      cuda_check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream_), "copy memory");
      cuda_check(cudaStreamSynchronize(stream_), "finish its work");
      return;
    }
    Slot& slot = slots_[next_];
    next_ = (next_ + 1) % kSlots;
    slot.read.wait();
    if (slot.bytes < bytes) {
      slot.values = std::make_unique<HostArray<uint8_t>>(static_cast<int64_t>(bytes));
      slot.bytes = bytes;
    }
    std::memcpy(slot.values->get(), from, bytes);
    cuda_check(cudaMemcpyAsync(to, slot.values->get(), bytes, cudaMemcpyHostToDevice, stream_),
               "copy memory");
    slot.read.record(stream_);
  }

 private:
  static constexpr size_t kMostBytes = 4 << 20;
  // Enough for the copies of two steps: inputs, targets and a state each, for a few segments with
  // activation checkpointing.
  static constexpr size_t kSlots = 16;

  struct Slot {
    std::unique_ptr<HostArray<uint8_t>> values;
    size_t bytes = 0;
    Event read;  // by the device
  };

  const Stream& stream_;
  mutable std::mutex mutex_;
  mutable Slot slots_[kSlots];
  mutable size_t next_ = 0;
};

}  // namespace slm
