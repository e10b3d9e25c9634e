#include "bindings.h"

namespace slm::python {
namespace {

const char* class_name(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::config:
      return "ConfigError";
    case ErrorKind::format:
      return "FormatError";
    case ErrorKind::device:
      return "DeviceError";
    case ErrorKind::training:
      return "TrainingError";
    default:
      return "Error";
  }
}

// OSError(errno, message) becomes the subclass for that errno, such as FileNotFoundError. A
// sentence may quote a file name, which is any bytes.
void set_error(const Error& e) {
  const std::string_view text = e.what();
  const auto sentence = py::reinterpret_steal<py::str>(
      PyUnicode_DecodeUTF8(text.data(), static_cast<py::ssize_t>(text.size()), "replace"));
  if (e.kind() != ErrorKind::io) {
    py::set_error(py::module_::import("slm.errors").attr(class_name(e.kind())), sentence);
  } else if (e.os_code() == 0) {
    py::set_error(PyExc_OSError, sentence);
  } else {
    py::set_error(PyExc_OSError, py::make_tuple(e.os_code(), sentence));
  }
}

}  // namespace

void register_errors(py::module_&) {
  py::register_local_exception_translator([](std::exception_ptr error) {
    try {
      std::rethrow_exception(error);
    } catch (const Error& e) {
      set_error(e);
    }
  });
}

}  // namespace slm::python
