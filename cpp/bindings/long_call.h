#pragma once
// Runs a long call of the library: without the GIL, and stopped by Ctrl-C.
#include <exception>

#include "bindings.h"

namespace slm::python {

// Once Python ends, a thread that asks for the GIL is ended by force, which C++ takes for an abort.
// Threads other than the one that ends Python wait here instead, until the process is gone.
void stop_at_exit();  // to be called when Python begins to end
void wait_if_ended();

// Releases the GIL for a call. (py::gil_scoped_release would be ended by force.)
class WithoutGil {
 public:
  WithoutGil() : thread_(PyEval_SaveThread()) {}
  ~WithoutGil() {
    wait_if_ended();
    PyEval_RestoreThread(thread_);
  }
  WithoutGil(const WithoutGil&) = delete;
  WithoutGil& operator=(const WithoutGil&) = delete;

 private:
  PyThreadState* thread_;
};

// Inside the library, a Python exception travels as Error(cancelled), after which every part of it
// knows how to clean up. run() raises the exception itself again.
class LongCall {
 public:
  template <class F>
  auto run(F&& call) {
    try {
      WithoutGil without_gil;
      // Python runs signal handlers on its main thread only; elsewhere the poll never says stop.
      Interrupt interrupt([this] {
        wait_if_ended();
        py::gil_scoped_acquire acquire;
        if (PyErr_CheckSignals() == 0) return false;
        exception_ = std::make_exception_ptr(py::error_already_set());
        return true;
      });
      return call();
    } catch (const Error& e) {
      if (e.kind() != ErrorKind::cancelled || !exception_) throw;
    }
    std::rethrow_exception(exception_);
  }

  // Calls back into Python from inside run().
  template <class F>
  auto python(F&& callback) {
    wait_if_ended();
    py::gil_scoped_acquire acquire;
    try {
      return callback();
    } catch (py::error_already_set&) {
      exception_ = std::current_exception();
      throw Error(ErrorKind::cancelled, "stopped by an exception in a Python callback");
    }
  }

 private:
  std::exception_ptr exception_;
};

template <class F>
auto run_long(F&& call) {
  return LongCall().run(std::forward<F>(call));
}

}  // namespace slm::python
