"""The C++ tests: built by the fixture, one pytest test each."""

from pathlib import Path

import pytest
from project import ROOT, run

NAMES = sorted(
    path.stem for folder in ("cpp", "cuda") for path in (ROOT / "tests" / folder).glob("test_*.cpp")
)


@pytest.mark.parametrize("name", NAMES)
def test_cpp(cpp_build: Path, name: str) -> None:
    only = ["-R", f"^{name}$", "--no-tests=error", "--output-on-failure"]
    run(["ctest", "--test-dir", cpp_build, *only])
