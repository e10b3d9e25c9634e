#include "arrays.h"

namespace slm::python {

ByteArray byte_array(py::handle value, const char* what, const char* shape, int ndim) {
  const std::string expected =
      std::string(what) + " must be a NumPy array of uint8 with shape " + shape + ", got ";
  if (!py::isinstance<py::array>(value)) {
    throw py::type_error(expected + std::string(py::str(py::type::of(value).attr("__name__"))));
  }
  const auto array = py::reinterpret_borrow<py::array>(value);
  if (!py::isinstance<py::array_t<uint8_t>>(array)) {
    throw py::type_error(expected + "dtype " + std::string(py::str(array.dtype())));
  }
  if (array.ndim() != ndim) {
    throw Error(ErrorKind::config, expected + "shape " + std::string(py::str(array.attr("shape"))));
  }
  return ByteArray(array);
}

py::array read_only(py::array array) {
  array.attr("setflags")(py::arg("write") = false);
  return array;
}

py::dict tensor_dict(const Model& model, const FloatArray& flat, bool writable) {
  py::dict tensors;
  const float* data = flat.data();
  for (const TensorInfo& info : model.tensors()) {
    py::array tensor = py::array_t<float>(info.shape, data, flat);
    tensors[py::str(info.name)] = writable ? tensor : read_only(tensor);
    data += info.size;
  }
  return tensors;
}

}  // namespace slm::python
