#include "io/json.h"

#include <cmath>
#include <limits>

#include "slm/error.h"
#include "util/number_text.h"
#include "util/quote.h"
#include "util/utf8.h"

namespace slm {
namespace {

std::string dump_number(double value) {
  if (!std::isfinite(value))
    throw Error(ErrorKind::format, "a JSON number must be finite, not " + number_text(value));
  const std::string text = number_text(value);
  // Without a point or an exponent it would read back as an integer.
  return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

void dump_string(std::string_view text, std::string& out) {
  constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  for (size_t i = 0; i < text.size();) {
    const size_t length = utf8_character(text.substr(i));
    if (length == 0)
      throw Error(ErrorKind::format,
                  "a JSON string must be UTF-8, which this is not: " + quote(text));
    const char c = text[i];
    if (c == '"' || c == '\\')
      out += {'\\', c};
    else if (static_cast<unsigned char>(c) < 0x20)
      (out += "\\u00") += {kHex[c >> 4], kHex[c & 15]};
    else
      out += text.substr(i, length);
    i += length;
  }
  out += '"';
}

void dump_value(const Json& json, std::string& out) {
  if (const auto* flag = json.get_if<bool>()) {
    out += *flag ? "true" : "false";
  } else if (const auto* integer = json.get_if<int64_t>()) {
    out += std::to_string(*integer);
  } else if (const auto* number = json.get_if<double>()) {
    out += dump_number(*number);
  } else if (const auto* string = json.get_if<std::string>()) {
    dump_string(*string, out);
  } else if (const auto* array = json.get_if<Json::Array>()) {
    out += '[';
    for (const Json& item : *array) {
      if (&item != array->data()) out += ',';
      dump_value(item, out);
    }
    out += ']';
  } else if (const auto* object = json.get_if<Json::Object>()) {
    out += '{';
    for (const auto& member : *object) {
      if (&member != object->data()) out += ',';
      dump_string(member.first, out);
      out += ':';
      dump_value(member.second, out);
    }
    out += '}';
  } else {
    out += "null";
  }
}

}  // namespace

Json::Json(float value) : value_(double{value}) {
  if (std::isfinite(value)) value_ = parse_number(number_text(value));  // else dump() refuses it
}

Json::Json(uint64_t value) {
  if (value <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
    value_ = static_cast<int64_t>(value);
  else
    value_ = std::to_string(value);
}

std::string Json::dump() const {
  std::string out;
  dump_value(*this, out);
  return out;
}

const char* Json::type_name() const {
  constexpr const char* kNames[] = {"null",     "true or false", "an integer", "a number",
                                    "a string", "an array",      "an object"};
  return kNames[value_.index()];
}

void Json::set(const std::string& name, Json value) {
  std::get<Object>(value_).emplace_back(name, std::move(value));
}

const Json* Json::find(std::string_view name) const {
  if (const auto* object = get_if<Object>())
    for (const auto& member : *object)
      if (member.first == name) return &member.second;
  return nullptr;
}

}  // namespace slm
