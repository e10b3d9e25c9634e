#pragma once
#include "net.h"
#include "numerics/sampling.h"

namespace slm {

// The symbols that the options leave to be sampled. In a model of documents these are the bytes of
// text, the symbol that ends a document, and the one that makes the next byte stand for itself.
struct Candidates {
  ByteSet anywhere;      // at least one symbol
  ByteSet after_escape;  // bytes that need an escape; there is one where the escape is a candidate
};

// Error(config) where nothing is left.
Candidates find_candidates(const Net& model, const SampleOptions& options);

}  // namespace slm
