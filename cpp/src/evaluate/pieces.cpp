#include "evaluate/pieces.h"

#include <algorithm>

#include "pass/forward.h"

namespace slm {
namespace {

// A row with as many steps takes no further piece. Long pieces have a row each.
constexpr int64_t kFullRow = 8192;

}  // namespace

PieceGroup::PieceGroup(const Net& model, const NextPiece& next) : model_(model) {
  const int64_t max_rows = model.backend->score_rows(model.config);
  Piece piece;
  for (Row* row = &shortest_row(max_rows); row->num_steps < kFullRow && next(piece);
       row = &shortest_row(max_rows)) {
    piece.at = row->num_steps;
    row->num_steps += piece.num_steps();
    row->pieces.push_back(pieces_.size());
    pieces_.push_back(piece);
    num_steps_ = std::max(num_steps_, row->num_steps);
  }
  if (rows_.back().pieces.empty()) rows_.pop_back();
  if (rows_.empty()) return;
  const auto rows = static_cast<int64_t>(rows_.size());
  chunk_steps_ = std::min(model.backend->chunk_steps(model.config, rows), num_steps_);
  workspace_ =
      model.backend->make_workspace(model.config, {chunk_steps_, rows, /*training=*/false});
  state_ = model.backend->make_buffer(state_size(model.config, rows));
  inputs_.resize(static_cast<size_t>(chunk_steps_ * rows));
  targets_.resize(inputs_.size());
  starts_.resize(inputs_.size());
  losses_.resize(inputs_.size());
}

// A new one while there may be more of them.
PieceGroup::Row& PieceGroup::shortest_row(int64_t max_rows) {
  if (static_cast<int64_t>(rows_.size()) < max_rows) return rows_.emplace_back();
  return *std::min_element(rows_.begin(), rows_.end(),
                           [](const Row& a, const Row& b) { return a.num_steps < b.num_steps; });
}

void PieceGroup::run(int64_t t0, int64_t t1) {
  for (int64_t t = t0; t < t1; t += chunk_steps_) run_chunk(t, std::min(t + chunk_steps_, t1));
}

template <typename F>
void PieceGroup::for_each_target(int64_t t0, int64_t t1, F&& f) {
  const size_t rows = rows_.size();
  for (size_t r = 0; r < rows; ++r) {
    const std::vector<size_t>& indices = rows_[r].pieces;
    auto next = std::upper_bound(indices.begin(), indices.end(), t0,
                                 [&](int64_t t, size_t index) { return t < pieces_[index].at; });
    for (--next; next != indices.end() && pieces_[*next].at < t1; ++next) {
      Piece& piece = pieces_[*next];
      const int64_t end = std::min(t1, piece.at + piece.num_steps());
      for (int64_t t = std::max(t0, piece.at); t < end; ++t)
        f(rows_[r], piece, piece.origin + t - piece.at, static_cast<size_t>(t - t0) * rows + r);
    }
  }
}

void PieceGroup::run_chunk(int64_t t0, int64_t t1) {
  // Rows that end before the others are padded, and what is computed there is ignored.
  std::fill(inputs_.begin(), inputs_.end(), kFirstByte);
  std::fill(targets_.begin(), targets_.end(), kFirstByte);
  std::fill(starts_.begin(), starts_.end(), uint8_t{0});
  for_each_target(t0, t1, [&](Row&, const Piece& piece, int64_t target, size_t i) {
    if (target > 0) inputs_[i] = piece.text[target - 1];
    targets_[i] = piece.text[target];
    if (target == piece.origin) starts_[i] = 1;
  });
  const auto rows = static_cast<int64_t>(rows_.size());
  const bool one_piece_each = pieces_.size() == rows_.size();
  const Window window{inputs_.data(), targets_.data(), t1 - t0, rows,
                      one_piece_each ? nullptr : starts_.data()};
  forward_pass(model_, *workspace_, window, state_.get(), nullptr, losses_.data());
  for_each_target(t0, t1, [&](Row& row, Piece& piece, int64_t target, size_t i) {
    if (target == piece.origin) row.mixture = FixedShare(model_.config.fixed_share);
    const float loss = row.mixture.loss(losses_[i]);
    if (target < piece.begin) return;
    piece.nats += double{loss};
    if (piece.log_probs != nullptr) piece.log_probs[target] = -loss;
  });
}

}  // namespace slm
