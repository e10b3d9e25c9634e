"""What the engine is compared on: models, windows, instruction sets; and the run of one of them.

SLM_FORCE_ISA is read once per process, so each instruction set computes all cases in a process of
its own (engine_worker.py), at several numbers of threads, and hands back an .npz file.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from reference import reference

THREADS = (1, 2, 5)
PREFIX_LEN = 4  # bytes that a case with a state has read before its window
TRAINING_STEPS = 5


@dataclass(frozen=True)
class Case:
    seq_len: int
    batch_size: int
    embed_dim: int
    state_dim: int
    num_layers: int
    init: str  # "seed", "tuned", or "random": reference.random_parameters
    with_state: bool

    def __str__(self) -> str:
        sizes = f"T{self.seq_len}-B{self.batch_size}-E{self.embed_dim}-N{self.state_dim}"
        return f"{sizes}-L{self.num_layers}-{self.init}" + ("-state" if self.with_state else "")

    def windows(self) -> tuple[reference.Bytes, reference.Bytes, reference.Bytes]:
        """Prefix, inputs and targets, (T, B) each. Every byte value occurs in long windows."""
        rng = np.random.default_rng([self.seq_len, self.batch_size, self.embed_dim])
        length = PREFIX_LEN + self.seq_len + 1
        text = rng.integers(0, 256, (length, self.batch_size), dtype=np.uint8)
        return text[:PREFIX_LEN], text[PREFIX_LEN:-1], text[PREFIX_LEN + 1 :]

    def model_options(self) -> dict[str, Any]:
        return {
            "embed_dim": self.embed_dim,
            "state_dim": self.state_dim,
            "num_layers": self.num_layers,
            "init": "tuned" if self.init == "random" else self.init,
            "seed": 7,
        }

    def random_parameters(self) -> reference.Parameters:
        rng = np.random.default_rng(self.state_dim)
        return reference.random_parameters(self.embed_dim, self.state_dim, self.num_layers, rng)


# (T, B, E, N, L): ones, odd sizes, and several rows and columns past every tile of the kernels.
SMALL_SIZES = [
    (1, 1, 1, 1, 1),
    (2, 1, 1, 1, 3),
    (1, 7, 3, 5, 1),
    (3, 5, 7, 17, 3),
    (17, 3, 33, 5, 1),
    (5, 33, 17, 3, 2),
    (33, 1, 16, 32, 3),
    (7, 17, 33, 64, 1),
]
LARGE_SIZES = [
    (1100, 1, 33, 65, 1),
    (67, 17, 70, 33, 3),
    (9, 130, 65, 100, 2),
    (33, 40, 130, 129, 2),
    (128, 9, 64, 96, 1),
]
CASES = [
    Case(*size, init, with_state)
    for size in SMALL_SIZES
    for init in ("seed", "tuned", "random")
    for with_state in (False, True)
] + [
    Case(*size, init, with_state)
    for size in LARGE_SIZES
    for init, with_state in (("seed", False), ("random", True))
]
TRAINING_CASES = [
    Case(7, 5, 33, 17, 3, "seed", False),
    Case(33, 33, 70, 65, 2, "tuned", False),
    Case(3, 3, 16, 32, 1, "random", True),
]


def supported_isas() -> list[str]:
    """By what the operating system says of this machine, not by asking the engine."""
    cpuinfo = Path("/proc/cpuinfo")
    flags = set(cpuinfo.read_text().split()) if cpuinfo.exists() else set()
    isas = ["scalar"]
    if {"avx2", "fma"} <= flags:
        isas.append("avx2")
    if {"avx512f", "avx512bw", "avx512dq", "avx512vl", "fma"} <= flags:
        isas.append("avx512")
    return isas


@functools.cache
def run_worker(isa: str) -> dict[str, Any]:
    """The arrays that engine_worker.py computed under `isa`, by 'threads/case/name'."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "results.npz"
        worker = Path(__file__).with_name("engine_worker.py")
        run = subprocess.run(
            [sys.executable, "-W", "error", str(worker), str(out)],
            env={**os.environ, "SLM_FORCE_ISA": isa},
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, f"SLM_FORCE_ISA={isa}: {run.stderr}"
        with np.load(out) as file:
            results = dict(file)
    assert results["isa"] == isa
    return results


def split(flat: reference.Array, case: Case) -> reference.Parameters:
    """One flat array, as the worker stores it, by tensor name."""
    result, offset = {}, 0
    sizes = reference.shapes(case.embed_dim, case.state_dim, case.num_layers)
    for name, shape in sizes.items():
        size = shape[0] * shape[1]
        result[name] = flat[offset : offset + size].reshape(shape).astype(np.float64)
        offset += size
    assert offset == flat.size
    return result


def relative_error(actual: Any, expected: Any) -> float:
    """max |difference| over max |expected|; where all is expected to be zero, zero or infinity."""
    difference = float(np.abs(np.asarray(actual, np.float64) - expected).max())
    scale = float(np.abs(expected).max())
    return difference / scale if scale else (0.0 if difference == 0 else np.inf)
