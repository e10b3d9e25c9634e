#pragma once
// NumPy arrays in and out.
#include "long_call.h"

namespace slm::python {

using ByteArray = py::array_t<uint8_t, py::array::c_style>;
using FloatArray = py::array_t<float, py::array::c_style>;

// `value` as an array of bytes of one (text, tokens) or two (inputs) dimensions, copied only where
// it is not contiguous. `what` and `shape` are for the error's sentence.
ByteArray byte_array(py::handle value, const char* what, const char* shape, int ndim);

inline std::string_view view(const ByteArray& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), static_cast<size_t>(bytes.size())};
}

py::array read_only(py::array array);

// The flat buffer (num_parameters,) cut into one array per tensor, by name; they share its memory.
py::dict tensor_dict(const Model& model, const FloatArray& flat, bool writable);

}  // namespace slm::python
