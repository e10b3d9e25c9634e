#pragma once
#include "arrays.h"

namespace slm::python {

// inputs (T, B) and, where a loss is asked for, targets of the same shape.
struct Window {
  explicit Window(py::handle inputs_in) : inputs(byte_array(inputs_in, "inputs", "(T, B)", 2)) {}

  Window(py::handle inputs_in, py::handle targets_in) : Window(inputs_in) {
    targets = byte_array(targets_in, "targets", "(T, B)", 2);
    if (inputs.shape(0) != targets.shape(0) || inputs.shape(1) != targets.shape(1)) {
      throw Error(ErrorKind::config, "inputs and targets must have the same shape (T, B), got " +
                                         std::string(py::str(inputs.attr("shape"))) + " and " +
                                         std::string(py::str(targets.attr("shape"))));
    }
  }

  int64_t seq_len() const { return inputs.shape(0); }
  int64_t batch_size() const { return inputs.shape(1); }

  ByteArray inputs, targets;
};

// The state that a window starts from; None is null where there need be none.
inline State* state_of(py::handle state) {
  if (state.is_none()) return nullptr;
  if (!py::isinstance<State>(state)) {
    throw py::type_error("state must be a State made by new_state(), got " +
                         std::string(py::str(py::type::of(state).attr("__name__"))));
  }
  return state.cast<State*>();
}

}  // namespace slm::python
