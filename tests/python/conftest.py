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
    """The library and its C++ tests, with warnings as errors, built as far as they are not yet: in
    the folder that SLM_CPP_BUILD names, in build/dev where that is there, else in a new one."""
    named = os.environ.get("SLM_CPP_BUILD")
    build = Path(named) if named else ROOT / "build" / "dev"
    if not (build / "CMakeCache.txt").exists():
        if not named:
            build = tmp_path_factory.mktemp("cpp") / "build"
        options = ["-DSLM_DEVELOPER=ON", "-DSLM_CUDA=OFF", "-DCMAKE_UNITY_BUILD=ON"]
        run(["cmake", "-G", "Ninja", "-S", ROOT, "-B", build, *options])
    run(["cmake", "--build", build, "--target", "cpp_tests", "-j", str(os.cpu_count())])
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
