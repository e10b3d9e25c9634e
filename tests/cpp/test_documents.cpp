// Several documents in one text: what marks their ends, and what is escaped.
#include <numeric>

#include "check.h"
#include "slm/documents.h"
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

// The encoded text, with '|' for the ends.
std::string read_back(const slm::Documents& documents) {
  const std::string_view encoded = documents.encoded();
  std::string text;
  for (size_t i = 0; i < encoded.size(); ++i)
    if (slm::is_end(encoded, i))
      text += '|';
    else if (static_cast<uint8_t>(encoded[i]) != slm::kEscapeByte || slm::is_escaped(encoded, i))
      text += encoded[i];
  return text;
}

void test_list() {
  slm::Documents documents;
  documents.add("Emma");
  documents.add("");  // has nothing to learn
  documents.add("two\nlines\r\n");
  documents.add("\xff\xfe");
  CHECK_EQ(documents.size(), 3);
  CHECK_EQ(read_back(documents), "Emma|two\nlines\r\n|\xff\xfe|");

  slm::Documents lines;
  lines.add_lines("Ava\n\nMia\r\n\r\n a\rb \nlast");
  CHECK_EQ(lines.size(), 4);
  CHECK_EQ(read_back(lines), "Ava|Mia| a\rb |last|");
  CHECK_EQ(slm::Documents().encoded(), "");
  slm::Documents marked;
  marked.add_lines(
      "\xef\xbb\xbf"
      "a\n \n\xef\xbb\xbf");
  CHECK_EQ(read_back(marked), "a| |\xef\xbb\xbf|");
}

void test_json_lines() {
  slm::Documents documents;
  documents.add_json_lines(
      "{\"text\": \"a\\nb\", \"id\": 1}\r\n\n{\"id\": 2, \"text\": \"\"}\n{\"text\": "
      "\"\\u0436\"}",
      "text", "x.jsonl");
  CHECK_EQ(read_back(documents), "a\nb|\xd0\xb6|");
  slm::Documents marked;
  marked.add_json_lines("\xef\xbb\xbf{\"text\": \"a\"}\n \t \r\n{\"text\": \"b\"}\n ", "text",
                        "x.jsonl");
  CHECK_EQ(read_back(marked), "a|b|");

  const auto refused = [](const char* sentence, const char* second_line) {
    slm::Documents bad;
    CHECK_THROWS(
        slm::ErrorKind::format, sentence,
        bad.add_json_lines(std::string("{\"text\":\"fine\"}\n") + second_line, "text", "x.jsonl"));
  };
  refused("line 2 of \"x.jsonl\" is not valid JSON", "{\"text\"");
  refused("line 2 of \"x.jsonl\" must be an object, not a string", "\"text\"");
  refused("the field \"text\" of line 2 of \"x.jsonl\" is missing", "{\"body\":\"\"}");
  refused("the field \"text\" of line 2 of \"x.jsonl\" must be a string, not an integer",
          "{\"text\":3}");
}

}  // namespace

int main() {
  test_escape();
  test_ends();
  test_list();
  test_json_lines();
  return test_result();
}
