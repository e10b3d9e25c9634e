#pragma once
// Where a text could begin: at a document, a paragraph, a line.
#include <cstddef>
#include <string_view>

namespace slm {

// The first beginning of a document after `from`, if the text is of documents
// (text/documents.h); else of a paragraph, which follows an empty line; else of a line; else `from`
// itself, or the next character. Looks a few KiB ahead, so that large texts are cheap. The end of
// the text counts as its beginning, 0. The text must not be empty.
size_t find_beginning(std::string_view text, size_t from, bool documents);

}  // namespace slm
