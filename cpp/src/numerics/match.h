#pragma once
// The match model: finds the most recent earlier position in the text after the same bytes as now,
// and the row of the match table for the byte that followed there, which is likely to follow again.
// Part of the file format (docs/model.md): it must never change.
//
// A text is given by at(i), the byte i positions before its newest, and `count`, its length.
#include <cstdint>

namespace slm {

// Row index = 256 * length class + following byte. The length classes are matches longer than the
// minimum by 0, 1, 2 to 3, 4 to 7, 8 to 15, or more bytes.
constexpr int64_t kMatchClasses = 6, kMatchRows = 256 * kMatchClasses;
constexpr int64_t kMatchSurplus = 16;  // longer matches share the last class

constexpr int64_t match_row(int64_t surplus, uint8_t followed) {
  int64_t bits = 0;
  while (bits < kMatchClasses - 1 && surplus >> bits > 0) ++bits;
  return bits * 256 + followed;
}

// The number of equal bytes, at most `most`, of the text and of the text without its last `back`
// bytes, counted from their ends.
template <class At>
constexpr int64_t common_bytes(const At& at, int64_t count, int64_t back, int64_t most) {
  int64_t n = 0;
  while (n < most && back + n < count && at(n) == at(back + n)) ++n;
  return n;
}

// Tries the position `back` bytes before the newest. `lengths` rise, and those before `next` have
// their match already; calls found(i, row) for each further one that this match is long enough for,
// and returns the new `next`. Positions have to be tried from the latest on, since the latest one
// is the match.
template <class At, class Found>
constexpr int64_t try_match(const At& at, int64_t count, int64_t back, const int64_t* lengths,
                            int64_t num, int64_t next, const Found& found) {
  const int64_t common = common_bytes(at, count, back, lengths[num - 1] + kMatchSurplus);
  for (; next < num && common >= lengths[next]; ++next)
    found(next, match_row(common - lengths[next], at(back - 1)));
  return next;
}

// Tries all positions, one after the other: the definition, and fast enough for single positions.
template <class At, class Found>
constexpr void find_matches(const At& at, int64_t count, const int64_t* lengths, int64_t num,
                            const Found& found) {
  int64_t next = 0;
  for (int64_t back = 1; back < count && next < num; ++back)
    if (at(back) == at(0)) next = try_match(at, count, back, lengths, num, next, found);
}

}  // namespace slm
