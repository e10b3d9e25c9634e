#pragma once
// The part of a text that is looked at before a run: reading all of a mapped file that is larger
// than memory would take minutes.
#include <string_view>
#include <vector>

namespace slm {

// The text as one block or, over 64 MiB, 64 blocks of 1 MiB, evenly spread from the first byte to
// the last.
inline std::vector<std::string_view> sample_blocks(std::string_view text) {
  constexpr size_t kBlocks = 64, kBlockSize = 1 << 20;
  if (text.size() <= kBlocks * kBlockSize) return {text};
  std::vector<std::string_view> blocks;
  for (size_t i = 0; i < kBlocks; ++i)
    blocks.push_back(text.substr((text.size() - kBlockSize) * i / (kBlocks - 1), kBlockSize));
  return blocks;
}

}  // namespace slm
