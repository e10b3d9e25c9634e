#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "io/json.h"
#include "slm/error.h"
#include "util/quote.h"

namespace slm {
namespace {

[[noreturn]] void refuse(const std::string& name, const std::string& where,
                         const std::string& what) {
  throw Error(ErrorKind::format, "the field " + quote(name) + " of " + where + what);
}

}  // namespace

JsonFields::JsonFields(const Json& object, std::string where)
    : object_(object), where_(std::move(where)) {
  if (object.get_if<Json::Object>() == nullptr)
    throw Error(ErrorKind::format, where_ + " must be an object, not " + object.type_name());
}

const Json& JsonFields::at(const std::string& name) {
  const Json* value = object_.find(name);
  if (value == nullptr) refuse(name, where_, " is missing");
  asked_.push_back(name);
  return *value;
}

template <typename T>
const T& JsonFields::typed(const std::string& name, const char* expected) {
  const Json& value = at(name);
  const T* typed = value.get_if<T>();
  if (typed == nullptr)
    refuse(name, where_, std::string(" must be ") + expected + ", not " + value.type_name());
  return *typed;
}

bool JsonFields::boolean(const std::string& name) { return typed<bool>(name, "true or false"); }

int64_t JsonFields::integer(const std::string& name) {
  return typed<int64_t>(name, "an integer of 64 bits");
}

uint64_t JsonFields::unsigned_integer(const std::string& name) {
  const Json& value = at(name);
  if (const auto* integer = value.get_if<int64_t>(); integer != nullptr && *integer >= 0)
    return static_cast<uint64_t>(*integer);
  if (const auto* digits = value.get_if<std::string>()) {
    uint64_t number = 0;
    const char* end = digits->data() + digits->size();
    const auto result = std::from_chars(digits->data(), end, number);
    if (result.ec == std::errc() && result.ptr == end) return number;
  }
  refuse(name, where_, " must be an integer from 0 to 18446744073709551615");
}

double JsonFields::number(const std::string& name) {
  if (const Json* value = object_.find(name); value != nullptr && value->get_if<int64_t>())
    return static_cast<double>(integer(name));
  return typed<double>(name, "a number");
}

float JsonFields::real(const std::string& name) {
  const double value = number(name);
  if (std::abs(value) > std::numeric_limits<float>::max())
    refuse(name, where_, " is too large for a 32-bit number");
  return static_cast<float>(value);
}

std::string JsonFields::string(const std::string& name) {
  return typed<std::string>(name, "a string");
}

const Json::Array& JsonFields::array(const std::string& name) {
  return typed<Json::Array>(name, "an array");
}

std::vector<int64_t> JsonFields::integers(const std::string& name) {
  std::vector<int64_t> values;
  for (const Json& item : array(name)) {
    const auto* value = item.get_if<int64_t>();
    if (value == nullptr)
      refuse(name, where_,
             std::string(" must hold only integers of 64 bits, not ") + item.type_name());
    values.push_back(*value);
  }
  return values;
}

void JsonFields::finish() const {
  for (const auto& member : *object_.get_if<Json::Object>())
    if (std::find(asked_.begin(), asked_.end(), member.first) == asked_.end())
      refuse(member.first, where_, " is unknown to this version");
}

}  // namespace slm
