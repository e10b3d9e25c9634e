#pragma once
// JSON (RFC 8259) for the small texts inside files: strict on the way in, since files come from
// anywhere, and on the way out every number reads back as the same bits.
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace slm {

class Json {
 public:
  using Array = std::vector<Json>;
  using Object = std::vector<std::pair<std::string, Json>>;  // in the order of insertion

  Json() : value_(nullptr) {}
  Json(std::nullptr_t) : value_(nullptr) {}
  Json(bool value) : value_(value) {}
  Json(int value) : value_(int64_t{value}) {}
  Json(int64_t value) : value_(value) {}
  Json(double value) : value_(value) {}
  Json(float value);     // written with as few digits as give back the same float
  Json(uint64_t value);  // beyond int64, a string of digits: few readers keep such a number exact
  Json(const char* value) : value_(std::string(value)) {}
  Json(std::string value) : value_(std::move(value)) {}
  Json(const std::vector<int64_t>& values) : value_(Array(values.begin(), values.end())) {}
  Json(Array value) : value_(std::move(value)) {}
  Json(Object value) : value_(std::move(value)) {}

  // Throws Error(format) with the byte offset. `where` names the text: "the header of 'x'".
  static Json parse(std::string_view text, const std::string& where);
  // Without white space. Throws Error(format) for NaN, infinities and strings that are not UTF-8.
  std::string dump() const;

  template <typename T>  // bool, int64_t, double, std::string, Array or Object
  const T* get_if() const {
    return std::get_if<T>(&value_);
  }
  const char* type_name() const;  // "an integer", "a string", …

  // Appends a member; this must be an object, and the name must be new to it.
  void set(const std::string& name, Json value);
  // The member of an object; nullptr where there is none or this is no object.
  const Json* find(std::string_view name) const;

 private:
  std::variant<std::nullptr_t, bool, int64_t, double, std::string, Array, Object> value_;
};

// Reads the members of an object by name, each of its type, and refuses what is left over. Every
// failure is Error(format) naming the field: "field 'steps' of slm.train_config in 'x' must be …".
class JsonFields {
 public:
  // `where` names the object in sentences. `object` must outlive this.
  JsonFields(const Json& object, std::string where);

  const Json& at(const std::string& name);
  bool boolean(const std::string& name);
  int64_t integer(const std::string& name);
  uint64_t unsigned_integer(const std::string& name);  // as Json(uint64_t) writes it
  double number(const std::string& name);              // an integer is a number too
  float real(const std::string& name);                 // a number within float's range
  std::string string(const std::string& name);
  const Json::Array& array(const std::string& name);
  std::vector<int64_t> integers(const std::string& name);  // an array of them

  bool has(const std::string& name) const { return object_.find(name) != nullptr; }
  // Throws for the first member that none of the calls above asked for.
  void finish() const;

 private:
  template <typename T>
  const T& typed(const std::string& name, const char* expected);

  const Json& object_;
  std::string where_;
  std::vector<std::string> asked_;
};

}  // namespace slm
