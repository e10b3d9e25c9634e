#pragma once
#include <string_view>

#include "slm/byte_set.h"

namespace slm {

// The bytes that a text has. Can be interrupted. In a text of documents (text/documents.h) those of
// the documents, without what marks their ends and escapes.
ByteSet bytes_of(std::string_view text, bool documents = false);

}  // namespace slm
