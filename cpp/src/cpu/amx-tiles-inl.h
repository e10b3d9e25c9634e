#pragma once
// The tile registers of AMX: eight of 16 rows of 64 bytes. One instruction adds the product of a
// tile of 16 x 16 pairs and one of 16 pairs x 16 columns to one of 16 x 16 floats. Within it, the
// even and the odd values of a pair are summed apart, so that the bits are not those of bf16-inl.h.

namespace slm {
namespace {

constexpr int64_t kTileRows = 16, kTilePairs = 16;
constexpr int64_t kTile = kTileRows * kTilePairs;  // in elements
// Rows and depth of a block, which stays in L1 while the other factor is read: 32 KiB.
constexpr int64_t kBlockRows = 2 * kTileRows, kBlockTiles = 16;
constexpr int64_t kBlockDepth = kBlockTiles * 2 * kTilePairs;  // in values

// The compiler does not see which memory the tile instructions read.
inline void finish_stores() { asm volatile("" ::: "memory"); }

// Configures the tile registers, and releases them at the end of its scope.
class TileRegisters {
 public:
  TileRegisters() {
    for (int i = 0; i < 8; ++i) {
      layout_.row_bytes[i] = 64;
      layout_.rows[i] = kTileRows;
    }
    asm volatile("" ::"r"(&layout_) : "memory");
    _tile_loadconfig(&layout_);
  }
  ~TileRegisters() { _tile_release(); }
  TileRegisters(const TileRegisters&) = delete;
  TileRegisters& operator=(const TileRegisters&) = delete;

 private:
  struct alignas(64) {  // as the processor reads it
    uint8_t palette = 1, start_row = 0, reserved[14] = {};
    uint16_t row_bytes[16] = {};
    uint8_t rows[16] = {};
  } layout_;
};

// A block of the result: rows of kPanel columns, `stride` floats apart.
struct Result {
  float* data;
  int64_t stride;
  bool accumulate;  // add to the previous values
};

// y (16 kTall, kPanel) = the sum over `tiles` tiles of a times those of a panel. The tiles of a are
// one after the other; those of its lower rows `a_lower` further.
template <int kTall>
inline void multiply(const float* a, int64_t a_lower, const float* panel, int64_t tiles, Result y) {
  constexpr int64_t kRow = kTilePairs * sizeof(float), kPanelRow = kPanel * sizeof(float);
  static_assert(kPanel == 2 * kTilePairs, "two tiles to a panel");
  const int64_t y_row = y.stride * static_cast<int64_t>(sizeof(float));
  float* lower = y.data + kTileRows * y.stride;
  finish_stores();
  if (y.accumulate) {
    _tile_loadd(0, y.data, y_row);
    _tile_loadd(1, y.data + kTilePairs, y_row);
    if constexpr (kTall == 2) {
      _tile_loadd(2, lower, y_row);
      _tile_loadd(3, lower + kTilePairs, y_row);
    }
  } else {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  for (int64_t k = 0; k < tiles; ++k, a += kTile, panel += kTilePairs * kPanel) {
    _tile_loadd(4, a, kRow);
    _tile_loadd(6, panel, kPanelRow);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, panel + kTilePairs, kPanelRow);
    _tile_dpbf16ps(1, 4, 7);
    if constexpr (kTall == 2) {
      _tile_loadd(5, a + a_lower, kRow);
      _tile_dpbf16ps(2, 5, 6);
      _tile_dpbf16ps(3, 5, 7);
    }
  }
  _tile_stored(0, y.data, y_row);
  _tile_stored(1, y.data + kTilePairs, y_row);
  if constexpr (kTall == 2) {
    _tile_stored(2, lower, y_row);
    _tile_stored(3, lower + kTilePairs, y_row);
  }
}

// The same for up to kBlockRows rows, which start at `to`, of up to kPanel columns: computed in a
// full block and copied. The previous values of y come first in the sum in either case, so that the
// bits of a row do not depend on which other rows there are.
inline void multiply_partial(int64_t rows, const float* a, int64_t a_lower, const float* panel,
                             int64_t tiles, float* const* to, int64_t cols, bool accumulate) {
  alignas(64) float c[kBlockRows * kPanel];
  if (accumulate)
    for (int64_t m = 0; m < kBlockRows; ++m)
      for (int64_t v = 0; v < kPanel; v += Vec::kLanes)
        (m < rows ? load_lanes(to[m] + v, cols - v) : Vec::zero()).store(c + m * kPanel + v);
  const Result y{c, kPanel, accumulate};
  if (rows > kTileRows)
    multiply<2>(a, a_lower, panel, tiles, y);
  else
    multiply<1>(a, a_lower, panel, tiles, y);
  for (int64_t m = 0; m < rows; ++m)
    for (int64_t v = 0; v < kPanel; v += Vec::kLanes)
      store_lanes(Vec::load(c + m * kPanel + v), to[m] + v, cols - v);
}

// The same for a block whose row m starts at row(m): in place if it is full and its rows are
// `even`, which means equally spaced.
template <class Row>
inline void multiply_block(int64_t rows, bool even, const Row& row, const float* a, int64_t a_lower,
                           const float* panel, int64_t tiles, int64_t cols, bool accumulate) {
  if (even && cols >= kPanel)
    return multiply<2>(a, a_lower, panel, tiles, {row(0), row(1) - row(0), accumulate});
  float* to[kBlockRows];
  for (int64_t m = 0; m < rows; ++m) to[m] = row(m);
  multiply_partial(rows, a, a_lower, panel, tiles, to, cols, accumulate);
}

}  // namespace
}  // namespace slm
