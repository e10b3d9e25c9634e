"""The C++ tests, one pytest test each, by one run of ctest. Those of cuda/ run twice, the second
time with threads and blocks in another order."""

import os
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from project import ROOT, run

CPP = sorted(path.stem for path in (ROOT / "tests" / "cpp").glob("test_*.cpp"))
CUDA = sorted((ROOT / "tests" / "cuda").glob("test_*.cpp"))
NAMES = [*CPP, *(path.stem for path in CUDA)]
SHUFFLED = [p.stem.replace("test", "shuffled", 1) for p in CUDA if p.stem != "test_cublas"]
COMPARING = {path.stem for path in CUDA if "comparison_result()" in path.read_text("utf-8")}
# More than two seconds each; what they test is tested by smaller cases of others, too.
SLOW = {"ahead", "model", "ngrams", "sample", "gated", "optimizer", "starts", "test_shards"}

values_compared: dict[str, int] = {}  # by test, for the summary that conftest.py prints


def is_slow(name: str) -> bool:
    return name.startswith("shuffled") or name.removeprefix("test_cuda_") in SLOW


@pytest.fixture(scope="session")
def ctest(
    request: pytest.FixtureRequest, cpp_build: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, ElementTree.Element]:
    """The reports of ctest on the selected tests, by name."""
    selected = [
        item.callspec.params["name"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.originalname == "test_cpp"
    ]
    report = tmp_path_factory.mktemp("ctest") / "report.xml"
    command = ["ctest", "--test-dir", cpp_build, "-R", f"^({'|'.join(selected)})$"]
    command += ["-j", str(os.cpu_count()), "--output-junit", report]
    command += ["--test-output-size-passed", "1000000", "--test-output-size-failed", "1000000"]
    run(command, may_fail=True)
    return {case.attrib["name"]: case for case in ElementTree.parse(report).iter("testcase")}


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[pytest.mark.slow] * is_slow(n)) for n in (*NAMES, *SHUFFLED)],
)
def test_cpp(ctest: dict[str, ElementTree.Element], name: str) -> None:
    output = ctest[name].findtext("system-out", "")
    assert ctest[name].attrib["status"] == "run", output
    assert re.search(r"^\w+\.cpp: [1-9]\d* checks, 0 failed$", output, re.MULTILINE), output
    counts = re.findall(r"^(\d+) values compared with the CPU$", output, re.MULTILINE)
    assert len(counts) == (name.replace("shuffled", "test", 1) in COMPARING)
    for count in counts:
        values_compared[name] = int(count)
        assert values_compared[name] > 0
