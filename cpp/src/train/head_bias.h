#pragma once
// The first values of a head's bias: with them a model knows the alphabet of its text before the
// first step, and a byte that does not occur there is improbable from the start. Learning that
// takes hundreds of steps, since its gradient falls with its probability.
#include <array>
#include <string_view>

#include "net.h"

namespace slm {

// The log of each byte's smoothed frequency in n bytes of the text: all of it or, above 64 MiB, 64
// blocks of 1 MiB. With all, an unseen byte gets about 1/(512 n). With a sample, in which a byte of
// the text may be missing, it gets about 1/(2 n) (Krichevsky and Trofimov 1981).
std::array<float, kVocabSize> log_byte_frequencies(std::string_view text);

// Sets head.bias to these where it is all zero. Returns whether it did.
bool start_head_bias(Net& net, std::string_view text);
// Takes that back.
void clear_head_bias(Net& net);

}  // namespace slm
