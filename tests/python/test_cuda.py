"""The tests of CUDA compile with nvcc, where it is there, as cuda/ itself does in every developer
build; tests/cuda tests what it computes. Without a device, "cuda" is an error that says why, and
the cuBLAS of the wheel is found and has all functions."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import slm
from project import ROOT, run

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
# As in tests/cuda/gpu.
EMULATED_ALONE = tuple(f"test_cuda_{name}.cpp" for name in ("ahead", "device", "memory"))
TESTS = [
    path
    for path in (sorted((ROOT / "tests" / "cuda").glob("test_cuda_*.cpp")) if NVCC else [])
    if path.name not in EMULATED_ALONE
]
INCLUDES = [f"-I{ROOT / folder}" for folder in ("cpp/src", "cpp/include")]
OPTIONS = ["-std=c++17", "-fmad=false", CONSTEXPR, *WARNINGS, *INCLUDES]


@pytest.mark.slow
@pytest.mark.parametrize("source", TESTS, ids=lambda source: source.name)
def test_nvcc_compiles_the_tests_for_a_device(source: Path, tmp_path: Path) -> None:
    assert NVCC is not None
    includes = [f"-I{ROOT / folder}" for folder in ("cuda", "tests/cpp", "tests/cuda")]
    # Without the C++ compiler that comes last: it sees them in the emulated tests.
    run([NVCC, "-x", "cu", *OPTIONS, *includes, "-cuda", source, "-o", tmp_path / "out.ii"])


def test_sources_are_there() -> None:
    assert {path.stem for path in (ROOT / "cuda").glob("*.cu")} >= {"embedding", "optimizer"}


HIDDEN = {"CUDA_VISIBLE_DEVICES": ""}  # so that a machine with a device has none
HAS_CUDA = ", CUDA " in slm._core.build and "CPU only" not in slm._core.build
REASONS = r"there is no NVIDIA driver|the NVIDIA driver has no device that it may use|is too old"


def slm_with(options: str) -> str:
    """The device of a model in a process that sees no GPU, or the error."""
    program = f"""
import slm
try:
    print(slm.Model("seed-small", embed_dim=4, state_dim=4, {options}).device)
except slm.DeviceError as error:
    print(error)
"""
    return run([sys.executable, "-c", program], env=HIDDEN).strip()


def test_device_cuda_says_why_it_cannot_be_had() -> None:
    output = slm_with('device="cuda"')
    assert 'device "cuda"' in output
    assert re.search(REASONS if HAS_CUDA else "this build", output)


def test_device_auto_is_the_cpu_then() -> None:
    assert slm_with('device="auto"') == "cpu"
    assert 'precision "tf32"' in slm_with('precision="tf32"')


def find_cublas() -> list[Path]:
    """The library of the wheels nvidia-cublas and nvidia-cublas-cu12, where one is installed."""
    spec = importlib.util.find_spec("nvidia")
    folders = [Path(place) for place in spec.submodule_search_locations or ()] if spec else []
    names = ("cu13/lib/libcublas.so.13", "cublas/lib/libcublas.so.12")
    return [folder / name for folder in folders for name in names if (folder / name).exists()]


def test_cublas_is_found_or_the_error_says_what_brings_it(cpp_build: Path) -> None:
    """By the Python module beside which the wheel is installed, and with all functions."""
    command = [sys.executable, "-c", "import slm; slm._core.require_cublas()"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if not HAS_CUDA:
        assert "this build of slm is for the CPU alone" in done.stderr
    elif find_cublas():
        assert done.returncode == 0, done.stderr
    elif done.returncode != 0:  # else the system has it
        assert "pip install 'slm-core[cuda]' brings it" in done.stderr
    for library in find_cublas():
        assert f"{library} has all functions" in run([cpp_build / "test_cublas", library])


def test_gpu_benchmark_stops_where_there_is_no_gpu(tmp_path: Path) -> None:
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\nexit 9\n", encoding="utf-8")
    (tmp_path / "nvidia-smi").chmod(0o755)
    env = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    command = [str(ROOT / "benchmarks" / "gpu.sh"), str(tmp_path / "build")]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stdout == ""
    assert re.fullmatch("gpu.sh: there is no NVIDIA GPU here .*\n", done.stderr)
    assert not (tmp_path / "build").exists()


def test_gpu_benchmark_prints_a_table() -> None:
    command = [sys.executable, ROOT / "benchmarks" / "gpu.py", "--device", "cpu", "--rounds", "1"]
    output = run([*command, "--seconds", "0", "--sizes", "nano", "--precisions", "float32"])
    header, line, row = [text.split(" | ") for text in output.splitlines() if text.startswith("|")]
    assert len(header) == len(line) == len(row)
    assert header[2] == "training MB/s" and float(row[2]) > 0
    assert 0 < float(row[4]) <= 1
