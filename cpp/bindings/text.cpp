#include "arrays.h"

namespace slm::python {

void register_text(py::module_& m) {
  py::class_<Documents>(m, "Documents")
      .def(py::init())
      .def(
          "add",
          [](Documents& documents, py::handle text) {
            documents.add(view(byte_array(text, "a document", "(num_bytes,)", 1)));
          },
          py::arg("document"))
      .def(
          "add_lines",
          [](Documents& documents, py::handle text) {
            const ByteArray bytes = byte_array(text, "text", "(num_bytes,)", 1);
            run_long([&] { documents.add_lines(view(bytes)); });
          },
          py::arg("text"))
      .def(
          "add_json_lines",
          [](Documents& documents, py::handle text, const std::string& field,
             const std::string& name) {
            const ByteArray bytes = byte_array(text, "text", "(num_bytes,)", 1);
            run_long([&] { documents.add_json_lines(view(bytes), field, name); });
          },
          py::arg("text"), py::arg("field"), py::arg("name"))
      .def("__len__", &Documents::size)
      // Valid until the next document is added.
      .def_property_readonly("encoded",
                             [](py::object self) {
                               const auto& text = self.cast<const Documents&>().encoded();
                               const auto size = static_cast<py::ssize_t>(text.size());
                               const auto* data = reinterpret_cast<const uint8_t*>(text.data());
                               return read_only(ByteArray(size, data, self));
                             })
      .def_property_readonly("num_bytes",
                             [](const Documents& documents) { return documents.encoded().size(); });

  m.def("text_files", [](const std::vector<std::string>& paths) {
    py::list files;
    for (const std::string& file : text_files(paths)) files.append(py::bytes(file));
    return files;
  });
  m.def("load_text", [](const std::vector<std::string>& paths) {
    auto text = std::make_unique<Text>(run_long([&] { return Text(paths); }));
    const Text& bytes = *text;
    py::capsule owner(text.release(), [](void* p) { delete static_cast<Text*>(p); });
    ByteArray array(static_cast<py::ssize_t>(bytes.size()), bytes.data(), owner);
    return read_only(array);
  });
}

}  // namespace slm::python
