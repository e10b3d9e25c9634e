#pragma once
// The memory of the CPU backend.
#include <cstdint>
#include <memory>
#include <utility>

namespace slm {

// Zeroed and aligned to a cache line. From calloc, which hands out large blocks untouched, so that
// planning a huge window takes no time. Null while this thread only counts (util/memory_count.h).
struct FreeMemory {
  void operator()(void* p) const;
};
struct AlignedMemory {
  std::unique_ptr<void, FreeMemory> block;
  void* start = nullptr;
};
AlignedMemory allocate_zeroed(int64_t bytes);

template <class T>
class CpuArray {
 public:
  CpuArray() = default;
  explicit CpuArray(int64_t size)
      : memory_(allocate_zeroed(size * static_cast<int64_t>(sizeof(T)))) {}
  CpuArray(CpuArray&& other) noexcept : memory_(std::exchange(other.memory_, {})) {}
  CpuArray& operator=(CpuArray&& other) noexcept {
    memory_ = std::exchange(other.memory_, {});
    return *this;
  }

  T* get() { return static_cast<T*>(memory_.start); }
  const T* get() const { return static_cast<const T*>(memory_.start); }
  T& operator[](int64_t i) { return get()[i]; }
  const T& operator[](int64_t i) const { return get()[i]; }

 private:
  AlignedMemory memory_;
};

using FloatArray = CpuArray<float>;

// Software prefetch: the hardware prefetcher cannot predict which rows of a hashed table come next.
template <class T>
void prefetch(const T* values, int64_t size = 1) {
  constexpr auto kLine = static_cast<int64_t>(64 / sizeof(T));
  for (int64_t i = 0; i < size; i += kLine) __builtin_prefetch(values + i);
}

}  // namespace slm
