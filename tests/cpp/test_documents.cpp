// Several documents in one text: what marks their ends, and what is escaped.
#include <numeric>

#include "check.h"
#include "text/documents.h"

namespace {

void test_escape() {
  CHECK(slm::escape("") == "");
  CHECK(slm::escape("ab\n") == "ab\n");
  CHECK(slm::escape("a\xff"
                    "b\xfe") ==
        "a\xfe\xff"
        "b\xfe\xfe");
}

// Any documents, also of these two bytes alone, can be read back.
void test_ends() {
  std::string all(256, '\0');
  std::iota(all.begin(), all.end(), '\0');
  for (const std::string& document :
       {std::string(), all, std::string("\xfe"), std::string("\xff"), std::string("\xff\xff\xfe"),
        std::string("\xfe\xfe"), std::string("\xfe\xff\xfe\xfe\xff")}) {
    const std::string one = slm::escape(document) + static_cast<char>(slm::kEndByte);
    const std::string text = one + one;
    for (size_t i = 0; i < text.size(); ++i)
      CHECK(slm::is_end(text, i) == (i + 1 == one.size() || i + 1 == text.size()));
  }
}

}  // namespace

int main() {
  test_escape();
  test_ends();
  return test_result();
}
