#pragma once
// The fields of the option structs by name, and their conversion from and to Python dicts.
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bindings.h"
#include "config_fields.h"
#include "io/json.h"

namespace slm::python {

// The validation text is a view, so it is passed on its own.
template <class F>
void for_each_field(FitOptions& o, F&& f) {
  f("seconds", o.seconds);
  f("validation_fraction", o.validation_fraction);
  f("eval_every", o.eval_every);
  f("patience", o.patience);
  f("checkpoint", o.checkpoint);
  f("checkpoint_seconds", o.checkpoint_seconds);
  f("resume", o.resume);
}

template <class F>
void for_each_field(SampleOptions& o, F&& f) {
  f("temperature", o.temperature);
  f("top_k", o.top_k);
  f("top_p", o.top_p);
  f("min_p", o.min_p);
  f("seed", o.seed);
  f("stop", o.stop);
  f("include_stop", o.include_stop);
  f("allowed", o.allowed);
  f("repetition_penalty", o.repetition_penalty);
  f("logit_bias", o.logit_bias);
  f("ignore_end", o.ignore_end);
}

template <class T>
constexpr const char* wanted() {
  if constexpr (std::is_same_v<T, std::string>) return "a str";
  if constexpr (std::is_same_v<T, bool>) return "a bool";
  if constexpr (std::is_same_v<T, uint64_t>) return "a whole number from 0 to 2^64 - 1";
  if constexpr (std::is_integral_v<T>) return "a whole number";
  if constexpr (std::is_floating_point_v<T>) return "a number";
  return "a list of bytes";
}

// The numbers that a T can hold, for one that it cannot.
template <class T>
std::string range_of() {
  constexpr int digits = std::numeric_limits<T>::digits;
  if constexpr (std::is_same_v<T, float>)
    return "a number of float32, from -3.4028235e+38 to 3.4028235e+38";
  if constexpr (std::is_same_v<T, double>) return "a number of at most 1.7976931348623157e+308";
  if constexpr (std::is_unsigned_v<T>) return wanted<T>();
  const std::string power = "2^" + std::to_string(digits);
  return "a whole number from -" + power + " to " + power + " - 1";
}

// A value of the wrong type is a TypeError; a number that does not fit is an Error(config).
template <class T>
std::enable_if_t<!std::is_enum_v<T>> read_field(const char* name, py::handle value, T& out) {
  const auto sentence = [&](const std::string& allowed) {
    const py::str got = py::repr(value)[py::slice(0, 80, 1)];  // whole characters
    return std::string(name) + " is " + std::string(got) + ", but must be " + allowed;
  };
  constexpr bool is_number = std::is_arithmetic_v<T> && !std::is_same_v<T, bool>;
  const bool given_bool = py::isinstance<py::bool_>(value);
  try {
    if (is_number && given_bool) throw py::cast_error();
    out = value.cast<T>();
  } catch (const py::cast_error&) {
    if constexpr (is_number)
      if (PyLong_Check(value.ptr()) && !given_bool)
        throw Error(ErrorKind::config, sentence(range_of<T>()));
    throw py::type_error(sentence(wanted<T>()));
  }
  if constexpr (std::is_floating_point_v<T>)
    if (std::isinf(out) && std::isfinite(value.cast<double>()))
      throw Error(ErrorKind::config, sentence(range_of<T>()));
}

// A number for each byte. The keys are bytes already.
inline void read_field(const char* name, py::handle value, std::map<uint8_t, float>& out) {
  out.clear();
  for (const auto& [byte, number] : py::reinterpret_borrow<py::dict>(value)) {
    const auto key = byte.cast<uint8_t>();
    const std::string entry = "the " + std::string(name) + " of byte " + std::to_string(key);
    read_field(entry.c_str(), number, out[key]);
  }
}

// A list or a tuple of whole numbers. A str would be a sequence, too.
inline void read_field(const char* name, py::handle value, std::vector<int64_t>& out) {
  if (!py::isinstance<py::list>(value) && !py::isinstance<py::tuple>(value)) {
    const py::str got = py::repr(value)[py::slice(0, 80, 1)];
    throw py::type_error(std::string(name) + " is " + std::string(got) +
                         ", but must be a list or tuple of whole numbers");
  }
  const std::string entry = "each entry of " + std::string(name);
  out.clear();
  for (const py::handle number : py::reinterpret_borrow<py::sequence>(value)) {
    int64_t whole = 0;
    read_field(entry.c_str(), number, whole);
    out.push_back(whole);
  }
}

inline void read_field(const char* name, py::handle value, std::optional<ByteSet>& out) {
  out.reset();
  if (value.is_none()) return;
  std::string bytes;
  read_field(name, value, bytes);
  out = ByteSet(bytes);
}

template <class Choice>
std::enable_if_t<std::is_enum_v<Choice>> read_field(const char* name, py::handle value,
                                                    Choice& out) {
  std::string choice;
  read_field(name, value, choice);
  out = choice_of<Choice>(name, choice);
}

template <class Options>
Options from_dict(const py::dict& values) {
  Options options;
  for_each_field(options, [&](const char* name, auto& field, auto...) {
    if (values.contains(name)) read_field(name, values[name], field);
  });
  return options;
}

inline py::object to_python(float value) {
  // The shortest decimal that reads back the same: 0.01, not 0.009999999776482582.
  return py::float_(py::str(Json(value).dump()));
}

// A frozen dataclass has tuples.
inline py::object to_python(const std::vector<int64_t>& values) {
  return py::tuple(py::cast(values));
}

inline py::object to_python(const std::optional<ByteSet>& set) {
  if (!set) return py::none();
  std::string bytes;
  for (int byte = 0; byte < kVocabSize; ++byte)
    if (set->has(static_cast<uint8_t>(byte))) bytes += static_cast<char>(byte);
  return py::bytes(bytes);
}

template <class T>
py::object to_python(const T& value) {
  if constexpr (std::is_enum_v<T>)
    return py::str(choice_name(value));
  else
    return py::cast(value);
}

template <class Options>
py::dict to_dict(Options options) {
  py::dict values;
  for_each_field(options,
                 [&](const char* name, auto& field, auto...) { values[name] = to_python(field); });
  return values;
}

}  // namespace slm::python
