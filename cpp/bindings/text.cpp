#include "arrays.h"

namespace slm::python {

void register_text(py::module_& m) {
  m.def("load_text", [](const std::vector<std::string>& paths) {
    auto text = std::make_unique<Text>(run_long([&] { return Text(paths); }));
    const Text& bytes = *text;
    py::capsule owner(text.release(), [](void* p) { delete static_cast<Text*>(p); });
    ByteArray array(static_cast<py::ssize_t>(bytes.size()), bytes.data(), owner);
    return read_only(array);
  });
}

}  // namespace slm::python
