#pragma once
// Memory plans without writing any size twice: the objects of a backend are made as usual, by a
// thread that only counts what their arrays would take.
#include <cstdint>
#include <utility>

namespace slm {

inline thread_local int64_t* counted_bytes = nullptr;  // null: this thread allocates

// For arrays: whether to stay without memory, since this thread only counts.
inline bool count_only(int64_t bytes) {
  if (counted_bytes == nullptr) return false;
  *counted_bytes += bytes;
  return true;
}

// Bytes of all arrays that `make` makes. Their pointers are null, so nothing may use them.
template <class Make>
int64_t count_bytes(const Make& make) {
  struct Scope {
    explicit Scope(int64_t& bytes) : outer(std::exchange(counted_bytes, &bytes)) {}
    ~Scope() { counted_bytes = outer; }
    int64_t* outer;
  };
  int64_t bytes = 0;
  const Scope scope(bytes);
  make();
  return bytes;
}

}  // namespace slm
