#pragma once
// Which row of its table a match has: an earlier place in the text at which the bytes are those
// that end it. What followed there is likely to follow again. Part of the file format
// (docs/model.md): it must never change.
//
// A text is given by at(i), the byte i places before its newest, and `count`, how many there are.
#include <cstdint>

namespace slm {

// A row is of the byte that followed and of how much longer than needed the match is: by 0, 1, 2 to
// 3, 4 to 7, 8 to 15, or more bytes.
constexpr int64_t kMatchClasses = 6, kMatchRows = 256 * kMatchClasses;
constexpr int64_t kMatchSurplus = 16;  // of more nobody needs to know

constexpr int64_t match_row(int64_t surplus, uint8_t followed) {
  int64_t bits = 0;
  while (bits < kMatchClasses - 1 && surplus >> bits > 0) ++bits;
  return bits * 256 + followed;
}

// How many bytes, up to `most`, that end `back` places before the newest are those that end the
// text.
template <class At>
constexpr int64_t common_bytes(const At& at, int64_t count, int64_t back, int64_t most) {
  int64_t n = 0;
  while (n < most && back + n < count && at(n) == at(back + n)) ++n;
  return n;
}

// Of `lengths` (rising), those before `next` have their match. Takes what ends `back` places before
// the newest for those that it is long enough for: calls found(i, row), and returns the next that
// has none. Places have to be tried from the latest on; the latest that fits is the match.
template <class At, class Found>
constexpr int64_t try_match(const At& at, int64_t count, int64_t back, const int64_t* lengths,
                            int64_t num, int64_t next, const Found& found) {
  const int64_t common = common_bytes(at, count, back, lengths[num - 1] + kMatchSurplus);
  for (; next < num && common >= lengths[next]; ++next)
    found(next, match_row(common - lengths[next], at(back - 1)));
  return next;
}

// All places one after the other: the definition, and fast enough for a position now and then.
template <class At, class Found>
constexpr void find_matches(const At& at, int64_t count, const int64_t* lengths, int64_t num,
                            const Found& found) {
  int64_t next = 0;
  for (int64_t back = 1; back < count && next < num; ++back)
    if (at(back) == at(0)) next = try_match(at, count, back, lengths, num, next, found);
}

}  // namespace slm
