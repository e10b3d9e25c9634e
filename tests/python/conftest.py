import os
from pathlib import Path

import pytest
from project import ROOT, run


@pytest.fixture(scope="session")
def cpp_build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library and its C++ tests, built once with warnings as errors and without Python."""
    build = tmp_path_factory.mktemp("cpp") / "build"
    run(["cmake", "-G", "Ninja", "-S", ROOT, "-B", build, "-DSLM_DEVELOPER=ON"])
    run(["cmake", "--build", build, "-j", str(os.cpu_count())])
    return build
