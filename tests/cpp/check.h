#pragma once
// The whole test framework: checks count themselves, say what failed and where, and let the test go
// on. End main with `return test_result();`.
#include <cmath>
#include <cstdio>
#include <sstream>
#include <string>
#include <type_traits>

#include "slm/error.h"

namespace check {

inline int checks = 0;
inline int failures = 0;
inline const char* test_name = __BASE_FILE__;

inline void report(bool ok, const char* file, int line, const std::string& message) {
  ++checks;
  if (ok) return;
  ++failures;
  std::fprintf(stderr, "%s:%d: %s\n", file, line, message.c_str());
}

template <class T>
decltype(auto) promoted(const T& value) {  // so that bytes print as numbers
  if constexpr (std::is_arithmetic_v<T>)
    return +value;
  else
    return (value);
}

template <class A, class B>
void equal(const A& a, const B& b, const char* text, const char* file, int line) {
  bool same;
  if constexpr (std::is_integral_v<A> && std::is_integral_v<B>)
    same = static_cast<std::common_type_t<A, B>>(a) == static_cast<std::common_type_t<A, B>>(b);
  else
    same = a == b;
  std::ostringstream message;
  message.precision(17);
  message << text << ": " << promoted(a) << " is not " << promoted(b);
  report(same, file, line, message.str());
}

inline void near(double a, double b, double tolerance, const char* text, const char* file,
                 int line) {
  std::ostringstream message;
  message.precision(17);
  message << text << ": " << a << " and " << b << " differ by more than " << tolerance;
  report(std::abs(a - b) <= tolerance, file, line, message.str());  // false for NaN
}

template <class F>
void throws(slm::ErrorKind kind, const std::string& part, F&& expression, const char* text,
            const char* file, int line) {
  try {
    expression();
    report(false, file, line, std::string(text) + " threw nothing");
  } catch (const slm::Error& error) {
    const std::string what = error.what();
    report(error.kind() == kind && what.find(part) != std::string::npos, file, line,
           std::string(text) + " threw kind " + std::to_string(static_cast<int>(error.kind())) +
               ": " + what);
  }
}

}  // namespace check

// Variadic, so that a comma inside braces or template arguments does not end the macro's argument.
#define CHECK(...) check::report(static_cast<bool>(__VA_ARGS__), __FILE__, __LINE__, #__VA_ARGS__)
#define CHECK_EQ(a, b) check::equal((a), (b), #a " == " #b, __FILE__, __LINE__)
#define CHECK_NEAR(a, b, tolerance) \
  check::near((a), (b), (tolerance), #a " near " #b, __FILE__, __LINE__)
#define CHECK_THROWS(kind, part, ...) \
  check::throws((kind), (part), [&] { (void)(__VA_ARGS__); }, #__VA_ARGS__, __FILE__, __LINE__)

inline int test_result() {
  std::string name = check::test_name;
  name = name.substr(name.find_last_of('/') + 1);
  std::printf("%s: %d checks, %d failed\n", name.c_str(), check::checks, check::failures);
  return check::failures == 0 ? 0 : 1;
}
