import os
import signal
from pathlib import Path

import pytest
import slm
from models import TINY
from project import ROOT, run

# A shell that runs the tests in the background has them ignore Ctrl-C, which some of them press.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def cpp_build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library and its C++ tests, built once with warnings as errors and without Python."""
    build = tmp_path_factory.mktemp("cpp") / "build"
    run(["cmake", "-G", "Ninja", "-S", ROOT, "-B", build, "-DSLM_DEVELOPER=ON"])
    run(["cmake", "--build", build, "-j", str(os.cpu_count())])
    return build


@pytest.fixture(scope="session")
def model_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A small model's file."""
    path = tmp_path_factory.mktemp("model") / "m.safetensors"
    slm.Model(**TINY).save(path)
    return path.read_bytes()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    from test_cpp_suite import values_compared

    if values_compared:
        terminalreporter.write_line(
            f"CUDA, emulated: {sum(values_compared.values()):,} values compared with the CPU's, "
            f"by {len(values_compared)} tests"
        )
