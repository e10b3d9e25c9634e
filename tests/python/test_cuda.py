"""The CUDA sources compile with nvcc, where it is there, for every architecture that it knows of
those that slm is for. What they compute is tested without it: tests/cuda."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from project import ROOT, run

ARCHITECTURES = [80, 86, 89, 90, 100, 120]
CONSTEXPR = "--expt-relaxed-constexpr"  # kernels call the core's constexpr functions
WARNINGS = ["-Werror", "all-warnings", "-Xcompiler", "-Wall,-Wextra,-Wshadow,-Werror"]


def find_nvcc() -> str | None:
    """The path of an nvcc that can compile for this machine's C++ compiler, or None."""
    path = os.pathsep.join([os.environ["PATH"], "/usr/local/cuda/bin"])
    nvcc = shutil.which("nvcc", path=path)
    if nvcc is None:
        return None
    empty = [nvcc, "-x", "cu", "-E", "-o", os.devnull, os.devnull]
    return nvcc if subprocess.run(empty, capture_output=True, check=False).returncode == 0 else None


NVCC = find_nvcc()
SOURCES = sorted((ROOT / "cuda").glob("*.cu")) if NVCC else []


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_nvcc_compiles_without_a_warning(source: Path, tmp_path: Path) -> None:
    assert NVCC is not None
    known = run([NVCC, "--list-gpu-arch"]).split()
    targets = [
        f"-gencode=arch=compute_{number},code=sm_{number}"
        for number in ARCHITECTURES
        if f"compute_{number}" in known
    ]
    assert targets
    includes = ["-I", ROOT / "cpp" / "src", "-I", ROOT / "cpp" / "include"]
    options = ["-std=c++17", "-fmad=false", CONSTEXPR, *WARNINGS, *includes, *targets]
    run([NVCC, *options, "-c", source, "-o", tmp_path / "object.o"])


def test_sources_are_there() -> None:
    assert {path.stem for path in (ROOT / "cuda").glob("*.cu")} >= {"embedding", "optimizer"}
