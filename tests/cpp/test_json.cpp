// The JSON of files: what is read, what is refused, and that numbers come back as the same bits.
#include <cstring>
#include <limits>

#include "check.h"
#include "io/json.h"
#include "numerics/philox.h"
#include "util/quote.h"

using slm::ErrorKind;
using slm::Json;
using slm::JsonFields;

namespace {

Json parse(const std::string& text) { return Json::parse(text, "the test"); }
std::string again(const std::string& text) { return parse(text).dump(); }

void test_values() {
  CHECK_EQ(again("null"), "null");
  CHECK_EQ(again(" \t\r\n[ true , false ] "), "[true,false]");
  CHECK_EQ(again("{\"b\":1,\"a\":{\"c\":[]},\"\":{}}"), "{\"b\":1,\"a\":{\"c\":[]},\"\":{}}");
  CHECK_EQ(again("[0,-0,0.0,1e2,-1.5E-3,1.25e+2]"), "[0,-0.0,0.0,100.0,-0.0015,125.0]");
  CHECK_EQ(again("9223372036854775807"), "9223372036854775807");
  CHECK_EQ(again("-9223372036854775808"), "-9223372036854775808");
  CHECK(parse("9223372036854775808").get_if<double>() != nullptr);
  CHECK(parse("[1,2]").get_if<Json::Array>()->size() == 2);
  CHECK(parse("{\"a\":1}").find("a") != nullptr);
  CHECK(parse("{\"a\":1}").find("b") == nullptr);
  CHECK(parse("[]").find("a") == nullptr);
}

void test_strings() {
  CHECK_EQ(*parse("\"\\u00e9\\u20ac\\ud83d\\ude00\\n\\/\"").get_if<std::string>(),
           "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\n/");
  CHECK_EQ(again("\"\\u0000\\u001F\\\"\\\\\xf0\x9f\x98\x80\""),
           "\"\\u0000\\u001f\\\"\\\\\xf0\x9f\x98\x80\"");
  for (const char* bad :
       {"\"\\ud83d\"", "\"\\ud83dx\"", "\"\\ud83d\\u0041\"", "\"\\ude00\"", "\"\\u12g4\"",
        "\"\\u12", "\"\\x\"", "\"\n\"", "\"\x80\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"",
        "\"\xf4\x90\x80\x80\"", "\"\xe2\x82\"", "\"abc", "\"abc\\"})
    CHECK_THROWS(ErrorKind::format, "the test is not valid JSON", parse(bad));
  CHECK_THROWS(ErrorKind::format, "UTF-8", Json("\xff").dump());
}

void test_refused() {
  for (const char* bad : {"",
                          " ",
                          "nul",
                          "truex",
                          "True",
                          "[1,]",
                          "[1",
                          "[,1]",
                          "{\"a\":1,}",
                          "{\"a\"}",
                          "{a:1}",
                          "{\"a\":1",
                          "1 2",
                          "01",
                          "-",
                          "+1",
                          ".5",
                          "1.",
                          "1.e5",
                          "1e",
                          "1e+",
                          "0x10",
                          "NaN",
                          "Infinity",
                          "-Infinity",
                          "1e999",
                          "'a'",
                          "[1]]",
                          "/**/1",
                          "\xef\xbb\xbf"
                          "1"})
    CHECK_THROWS(ErrorKind::format, "at byte", parse(bad));
  CHECK_THROWS(ErrorKind::format, "at byte", parse(std::string("1\0", 2)));
  CHECK_THROWS(ErrorKind::format, "duplicate key \"a\"", parse("{\"a\":1,\"b\":2,\"a\":3}"));
  CHECK_THROWS(ErrorKind::format, "',' or ']' was expected at byte 5", parse("[1,2 3]"));
  CHECK_THROWS(ErrorKind::format, "nested deeper", parse(std::string(1000000, '[')));
  CHECK_THROWS(ErrorKind::format, "nested deeper", parse([] {
                 std::string text;
                 for (int i = 0; i < 100000; ++i) text += "{\"a\":";
                 return text;
               }()));
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK_THROWS(ErrorKind::format, "finite", Json(infinity).dump());
  CHECK_THROWS(ErrorKind::format, "finite", Json(std::numeric_limits<float>::quiet_NaN()).dump());
}

// Every prefix and every one-byte change of a text is read or refused, never worse.
void test_broken() {
  const std::string text =
      "{\"a\":[1,-2.5e3,\"\\u00e9\\ud83d\\ude00\xe2\x82\xac\"],\"b\":{\"c\":null}}";
  CHECK_EQ(again(text),
           "{\"a\":[1,-2500.0,\"\xc3\xa9\xf0\x9f\x98\x80\xe2\x82\xac\"],\"b\":{\"c\":null}}");
  for (size_t size = 0; size < text.size(); ++size)
    CHECK_THROWS(ErrorKind::format, "at byte", parse(text.substr(0, size)));
  int read = 0, refused = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string changed = text;
      changed[i] = static_cast<char>(byte);
      try {
        parse(changed);
        ++read;
      } catch (const slm::Error& error) {
        refused += error.kind() == ErrorKind::format;
      }
    }
  }
  CHECK_EQ(read + refused, static_cast<int>(text.size()) * 256);
}

void test_numbers_come_back() {
  const slm::Philox random(1, slm::PhiloxStream::sample);
  int same_floats = 0, same_doubles = 0, floats = 0, doubles = 0;
  for (uint64_t i = 0; i < 20000; ++i) {
    const auto bits = random.bits(i);
    float single;
    std::memcpy(&single, &bits[0], sizeof single);
    double wide;
    std::memcpy(&wide, &bits[2], sizeof wide);
    if (std::isfinite(single)) {
      const Json json = parse(Json(single).dump());
      const auto back = static_cast<float>(*json.get_if<double>());
      same_floats += std::memcmp(&back, &single, sizeof single) == 0;
      ++floats;
    }
    if (std::isfinite(wide)) {
      const Json json = parse(Json(wide).dump());
      same_doubles += std::memcmp(json.get_if<double>(), &wide, sizeof wide) == 0;
      ++doubles;
    }
  }
  CHECK_EQ(same_floats, floats);
  CHECK_EQ(same_doubles, doubles);
  CHECK_EQ(Json(0.9f).dump(), "0.9");
  CHECK_EQ(Json(1e-8f).dump(), "1e-08");
  CHECK_EQ(Json(-0.0f).dump(), "-0.0");
  CHECK_EQ(Json(0.1).dump(), "0.1");
  CHECK_EQ(Json(1e300).dump(), "1e+300");
}

void test_fields() {
  const Json json = parse(
      "{\"b\":true,\"i\":-3,\"d\":1.5,\"s\":\"x\",\"a\":[1],\"big\":1e300,\"n\":null,"
      "\"u\":\"18446744073709551615\",\"v\":\"18446744073709551616\",\"w\":\"+1\",\"none\":[],"
      "\"mixed\":[2,3.0],\"many\":[-1,9223372036854775807]}");
  JsonFields fields(json, "the test");
  CHECK(fields.boolean("b"));
  CHECK_EQ(fields.integer("i"), -3);
  CHECK_EQ(fields.number("i"), -3.0);
  CHECK_EQ(fields.number("d"), 1.5);
  CHECK_EQ(fields.real("d"), 1.5f);
  CHECK_EQ(fields.string("s"), "x");
  CHECK_EQ(fields.array("a").size(), size_t{1});
  CHECK(fields.integers("none").empty());
  CHECK(fields.integers("many") == std::vector<int64_t>{-1, std::numeric_limits<int64_t>::max()});
  CHECK_EQ(Json(fields.integers("many")).dump(), "[-1,9223372036854775807]");
  CHECK_EQ(fields.unsigned_integer("u"), std::numeric_limits<uint64_t>::max());
  CHECK_THROWS(ErrorKind::format, "the field \"q\" of the test is missing", fields.integer("q"));
  CHECK_THROWS(ErrorKind::format, "must be an integer of 64 bits, not a number",
               fields.integer("d"));
  CHECK_THROWS(ErrorKind::format, "must be a number, not a string", fields.number("s"));
  CHECK_THROWS(ErrorKind::format, "must be a string, not an integer", fields.string("i"));
  CHECK_THROWS(ErrorKind::format, "must be an array, not null", fields.array("n"));
  CHECK_THROWS(ErrorKind::format, "\"big\" of the test is too large", fields.real("big"));
  CHECK_THROWS(ErrorKind::format, "the field \"mixed\" of the test must hold only integers",
               fields.integers("mixed"));
  CHECK_THROWS(ErrorKind::format, "must be an array, not an integer", fields.integers("i"));
  for (const char* name : {"v", "w", "s", "i", "d", "n"})
    CHECK_THROWS(ErrorKind::format, "must be an integer from 0", fields.unsigned_integer(name));
  fields.finish();  // all have been asked for
  JsonFields others(json, "the test");
  others.boolean("b");
  CHECK_THROWS(ErrorKind::format, "\"i\" of the test is unknown", others.finish());
  CHECK_THROWS(ErrorKind::format, "the list must be an object",
               JsonFields(parse("[]"), "the list"));
}

void test_quote() {
  CHECK_EQ(slm::quote("a \xc3\xa9"), "\"a \xc3\xa9\"");
  CHECK_EQ(slm::quote("a\n\xff\x7f"), "\"a\\x0a\\xff\\x7f\"");
  CHECK(slm::quote(std::string(100000, 'x')).size() < 400);
}

}  // namespace

int main() {
  test_values();
  test_strings();
  test_refused();
  test_broken();
  test_numbers_come_back();
  test_fields();
  test_quote();
  return test_result();
}
