"""The C++ tests: built by the fixture, one pytest test each. Those of cuda/ run twice, the second
time under sanitizers and with threads and blocks in another order."""

import re
from pathlib import Path

import pytest
from project import ROOT, run

CPP = sorted(path.stem for path in (ROOT / "tests" / "cpp").glob("test_*.cpp"))
CUDA = sorted((ROOT / "tests" / "cuda").glob("test_*.cpp"))
NAMES = [*CPP, *(path.stem for path in CUDA)]
SANITIZED = [p.stem.replace("test", "sanitized", 1) for p in CUDA if p.stem != "test_cublas"]
COMPARING = {path.stem for path in CUDA if "comparison_result()" in path.read_text("utf-8")}

values_compared: dict[str, int] = {}  # by test, for the summary that conftest.py prints


@pytest.mark.parametrize("name", [*NAMES, *SANITIZED])
def test_cpp(cpp_build: Path, name: str) -> None:
    output = run(["ctest", "--test-dir", cpp_build, "-R", f"^{name}$", "--no-tests=error", "-V"])
    counts = re.findall(r"^\d+: (\d+) values compared with the CPU$", output, re.MULTILINE)
    assert len(counts) == (name.replace("sanitized", "test", 1) in COMPARING)
    for count in counts:
        values_compared[name] = int(count)
        assert values_compared[name] > 0
