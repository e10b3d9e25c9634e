#pragma once
// Many short stretches of text scored as one batch: each row reads one piece after the other, and
// each piece from a cold start, so that what a piece costs does not depend on the others.
#include <functional>
#include <memory>
#include <vector>

#include "evaluate/fixed_share.h"
#include "net.h"

namespace slm {

// A stretch of a text that is read from a fresh state and scored from `begin` on.
struct Piece {
  const uint8_t* text;         // its first byte follows kFirstByte
  int64_t origin, begin, end;  // in the text: first target, first scored target, end
  float* log_probs = nullptr;  // of all bytes of the text, or null
  int64_t text_number = 0;
  int64_t at = 0;   // time step of the first target in its row
  double nats = 0;  // what the scored bytes cost, once computed

  int64_t num_steps() const { return end - origin; }
};

// Gives the next piece; false: there is none.
using NextPiece = std::function<bool(Piece&)>;

class PieceGroup {
 public:
  // Takes pieces until the rows of a batch are full.
  PieceGroup(const Net& model, const NextPiece& next);

  int64_t num_steps() const { return num_steps_; }
  const std::vector<Piece>& pieces() const { return pieces_; }  // as they came

  // Computes the time steps [t0, t1), which follow those of the call before or begin again.
  void run(int64_t t0, int64_t t1);

 private:
  struct Row {
    std::vector<size_t> pieces;
    int64_t num_steps = 0;
    FixedShare mixture;  // of the piece that it reads
  };

  Row& shortest_row(int64_t max_rows);
  void run_chunk(int64_t t0, int64_t t1);
  // Calls f(row, piece, target, i) for the position i = (t, row) of every target, row by row.
  template <typename F>
  void for_each_target(int64_t t0, int64_t t1, F&& f);

  const Net& model_;
  std::vector<Piece> pieces_;
  std::vector<Row> rows_;
  int64_t num_steps_ = 0;
  int64_t chunk_steps_ = 0;
  std::unique_ptr<Workspace> workspace_;
  std::unique_ptr<Buffer> state_;
  std::vector<uint8_t> inputs_, targets_, starts_;
  std::vector<float> losses_;
};

}  // namespace slm
