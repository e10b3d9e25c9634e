#pragma once
#include <functional>
#include <stdexcept>
#include <string>

namespace slm {

/// The kind of an Error, so that callers can react without parsing its message.
enum class ErrorKind {
  config,     ///< a value that the caller passed: option, shape, size, preset name
  format,     ///< a file that is not what it should be: truncated, wrong dtype, too new
  device,     ///< the device or instruction set asked for is not here
  training,   ///< numbers that are no longer finite, or a run that cannot be resumed
  io,         ///< the operating system refused: missing file, no permission, full disk
  cancelled,  ///< an Interrupt's poll asked to stop
};

/// The one exception type of the library. what() says what was wrong, what was expected, and where.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message, int os_code = 0)
      : std::runtime_error(message), kind_(kind), os_code_(os_code) {}

  ErrorKind kind() const noexcept { return kind_; }
  /// The errno behind an `io` error, 0 where there is none.
  int os_code() const noexcept { return os_code_; }

 private:
  ErrorKind kind_;
  int os_code_;
};

/// While one is alive, long calls made on this thread ask `poll` about every 20 ms and stop with
/// Error(cancelled) once it returns true. A training step that is stopped changes no parameter.
/// The innermost one counts.
class Interrupt {
 public:
  explicit Interrupt(std::function<bool()> poll);
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

 private:
  friend void poll_interrupt();
  std::function<bool()> poll_;
  Interrupt* outer_;
};

}  // namespace slm
