#pragma once
#include <cstdint>
#include <string_view>

namespace slm {

/// A set of bytes, such as those that may be sampled.
class ByteSet {
 public:
  constexpr ByteSet() = default;
  /// The bytes of `text`.
  constexpr explicit ByteSet(std::string_view text) {
    for (const char c : text) add(static_cast<uint8_t>(c));
  }
  static constexpr ByteSet all() {
    ByteSet set;
    for (uint64_t& word : set.words_) word = ~uint64_t{0};
    return set;
  }

  constexpr bool has(uint8_t byte) const { return (words_[byte / 64] >> byte % 64 & 1) != 0; }
  constexpr void add(uint8_t byte) { words_[byte / 64] |= uint64_t{1} << byte % 64; }
  constexpr void remove(uint8_t byte) { words_[byte / 64] &= ~(uint64_t{1} << byte % 64); }
  /// Adds all bytes of another set.
  constexpr void add(const ByteSet& other) {
    for (int i = 0; i < 4; ++i) words_[i] |= other.words_[i];
  }
  constexpr bool empty() const { return *this == ByteSet(); }

  friend constexpr bool operator==(const ByteSet& a, const ByteSet& b) {
    for (int i = 0; i < 4; ++i)
      if (a.words_[i] != b.words_[i]) return false;
    return true;
  }
  friend constexpr bool operator!=(const ByteSet& a, const ByteSet& b) { return !(a == b); }

 private:
  uint64_t words_[4] = {};
};

}  // namespace slm
