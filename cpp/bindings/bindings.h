#pragma once
// slm._core: the C++ API in Python, one file per class. Nothing is computed here: a function
// converts its arguments, calls the library without the GIL, and converts the result.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "slm/slm.h"

namespace slm::python {

namespace py = pybind11;

void register_errors(py::module_& m);
void register_config(py::module_& m);
void register_text(py::module_& m);
void register_model(py::module_& m);
void register_trainer(py::module_& m);
void register_generator(py::module_& m);
void register_bench(py::module_& m);
void register_exit(py::module_& m);

}  // namespace slm::python
