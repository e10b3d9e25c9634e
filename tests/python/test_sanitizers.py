"""C++ tests of what is shared by threads or read from files, under sanitizers. All of the C++ tests
are run by the presets' workflows."""

import os

import pytest
from project import ROOT, run

FAULTS = "planted_faults"  # which have to be found
FILES = ["json", "safetensors", "stored_tensor", "model_file", "checkpoint", "text"]
THREADS = ["thread_pool", "generator", "fit"]
TESTS = {"asan": [*FILES, *THREADS], "tsan": THREADS}
# Options that make a build short. The kernels for bf16 alone take a tenth of the time.
SHORT = ["-GNinja", "-DCMAKE_UNITY_BUILD=ON", "-DSLM_COMPILER_HAS_BF16=OFF"]


@pytest.mark.slow
@pytest.mark.parametrize("preset", TESTS)
def test_no_report(preset: str) -> None:
    build = ROOT / "build" / preset
    names = [FAULTS, *(f"test_{name}" for name in TESTS[preset])]
    options = [] if (build / "CMakeCache.txt").exists() else SHORT  # a folder keeps its own
    run(["cmake", "--preset", preset, *options], cwd=ROOT)
    jobs = str(os.cpu_count())
    run(["cmake", "--build", "--preset", preset, "-j", jobs, "--target", *names], cwd=ROOT)
    chosen = f"^({'|'.join(names)})$"
    output = run(["ctest", "--preset", preset, "-j", jobs, "-R", chosen], cwd=ROOT)
    assert "100% tests passed" in output
    assert f" out of {len(names)}\n" in output
