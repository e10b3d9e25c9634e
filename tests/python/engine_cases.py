"""The cases on which engines are compared: a model with its window, and the run of all of them.

SLM_FORCE_ISA is read once per process, so each instruction set computes all cases of a group
(engine_grid.py) in a process of its own (engine_worker.py), at several numbers of threads, and
hands back an .npz file.
"""

from __future__ import annotations

import dataclasses
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
from reference.reference import Options

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
    options: Options = reference.PLAIN

    def __str__(self) -> str:
        sizes = f"T{self.seq_len}-B{self.batch_size}-E{self.embed_dim}-N{self.state_dim}"
        parts = [sizes, f"L{self.num_layers}", self.init, *option_words(self.options)]
        return "-".join(parts + ["state"] * self.with_state)

    @property
    def group(self) -> str:
        """ "core" takes a second in all, "rest" has the sizes past every tile."""
        values = self.seq_len * self.batch_size * (self.embed_dim + self.state_dim)
        return "core" if values * self.num_layers < 30_000 else "rest"

    def windows(self, step: int = 0) -> tuple[reference.Bytes, reference.Bytes, reference.Bytes]:
        """Prefix, inputs and targets, (T, B) each. Every byte value occurs in long windows, or few
        of them, so that n-grams occur more than once."""
        rng = np.random.default_rng([self.seq_len, self.batch_size, self.embed_dim, step])
        size = (PREFIX_LEN + self.seq_len + 1, self.batch_size)
        if self.options.ngram_orders or self.options.match_lengths:
            text = rng.integers(0, 7, size, dtype=np.uint8) * np.uint8(42) + np.uint8(3)
        else:
            text = rng.integers(0, 256, size, dtype=np.uint8)
        return text[:PREFIX_LEN], text[PREFIX_LEN:-1], text[PREFIX_LEN + 1 :]

    def model_options(self) -> dict[str, Any]:
        return {
            "embed_dim": self.embed_dim,
            "state_dim": self.state_dim,
            "num_layers": self.num_layers,
            "init": "tuned" if self.init == "random" else self.init,
            "seed": 7,
            **dataclasses.asdict(self.options),
        }

    def sizes(self) -> tuple[int, int, int]:
        return self.embed_dim, self.state_dim, self.num_layers

    def random_parameters(self) -> reference.Parameters:
        rng = np.random.default_rng(self.state_dim)
        return reference.random_parameters(*self.sizes(), rng, self.options)


def option_words(options: Options) -> list[str]:
    """Those that are not what a plain model has."""
    plain = dataclasses.asdict(reference.PLAIN)
    values = dataclasses.asdict(options).items()
    words = [f"{name}={value}" for name, value in values if value != plain[name]]
    return [word.replace(", ", ".").replace("=True", "") for word in words]


@functools.cache
def occurring_rows(case: Case, step: int = 0) -> dict[str, reference.Rows]:
    """The rows of each n-gram table that a case's window has."""
    prefix, inputs, _ = case.windows(step)
    read = prefix if case.with_state else prefix[:0]
    return reference.occurring(reference.ngram_rows(inputs, read, case.options))


@functools.cache
def stored_rows(case: Case) -> dict[str, reference.Rows]:
    """Those rows of all steps, and the prefixes'."""
    texts = [np.concatenate(case.windows(step)[:2]) for step in range(TRAINING_STEPS)]
    rows = [reference.ngram_rows(text, text[:0], case.options) for text in texts]
    return reference.occurring({name: np.stack([r[name] for r in rows]) for name in rows[0]})


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
def run_worker(isa: str, group: str) -> dict[str, Any]:
    """The arrays that engine_worker.py computed under `isa`, by 'threads/case/name'."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "results.npz"
        worker = Path(__file__).with_name("engine_worker.py")
        run = subprocess.run(
            [sys.executable, "-W", "error", str(worker), str(out), group],
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


def flatten(tensors: dict[str, Any], case: Case) -> Any:
    """One array of all; of n-gram tables, which are large, the rows that a case may read."""
    rows = stored_rows(case)
    values = [w[rows[name]] if name in rows else w for name, w in tensors.items()]
    return np.concatenate([value.reshape(-1) for value in values])


def split(flat: reference.Array, case: Case) -> reference.Parameters:
    """The arrays that flatten() was given, in float64; rows that it left out are zero."""
    rows = stored_rows(case)
    result, offset = {}, 0
    for name, shape in reference.shapes(*case.sizes(), case.options).items():
        tensor = np.zeros(shape)
        part = rows.get(name, slice(None))
        size = tensor[part].size
        tensor[part] = flat[offset : offset + size].reshape(tensor[part].shape)
        result[name] = tensor
        offset += size
    assert offset == flat.size
    return result


def other_rows(before: dict[str, Any], after: dict[str, Any], case: Case, steps: int = 1) -> int:
    """How many rows of n-gram tables differ although they do not occur."""
    count = 0
    for name in occurring_rows(case):
        differs = (np.asarray(before[name]) != np.asarray(after[name])).any(axis=1)
        for step in range(steps):
            differs[occurring_rows(case, step)[name]] = False
        count += int(differs.sum())
    return count


def relative_error(actual: Any, expected: Any) -> float:
    """max |difference| over max |expected|; where all is expected to be zero, zero or infinity."""
    difference = float(np.abs(np.asarray(actual, np.float64) - expected).max())
    scale = float(np.abs(expected).max())
    return difference / scale if scale else (0.0 if difference == 0 else np.inf)
