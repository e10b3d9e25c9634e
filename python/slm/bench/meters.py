"""Meters: functions that measure a rate. They are interleaved over rounds and the best rate of each
is reported, so that a busy machine slows none of them more than another."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np

from slm import _core
from slm.config import Preset
from slm.model import Model
from slm.text import ByteArray, sample_text
from slm.trainer import Trainer

Meter: TypeAlias = Callable[[], float]

LEARNING_RATE = 1e-9  # small enough that no number of steps changes what the model generates
GENERATED_BYTES = 256
PROMPT_BYTES = 1024
SCORED_BYTES = 1 << 20  # 64 segments, as many as are computed in lockstep


def best_of(rounds: int, meters: Mapping[str, Meter]) -> dict[str, float]:
    best = dict.fromkeys(meters, 0.0)
    for _ in range(rounds):
        for name, meter in meters.items():
            best[name] = max(best[name], meter())
    return best


def repeated(work: Callable[[], object], num_bytes: int, seconds: float) -> Meter:
    """Bytes per second of the fastest run of `work` in about `seconds`."""
    work()  # the first run touches the memory

    def meter() -> float:
        fastest = math.inf
        end = time.perf_counter() + seconds
        while fastest == math.inf or time.perf_counter() < end:
            start = time.perf_counter()
            work()
            fastest = min(fastest, time.perf_counter() - start)
        return num_bytes / fastest

    return meter


class Bench:
    """A model of some size, and meters of bytes per second. It trains on windows of English text,
    one after the other, since the n-grams of a step determine how much memory it moves."""

    def __init__(
        self,
        size: Preset,
        *,
        threads: int,
        seconds: float = 0.2,
        device: str = "cpu",
        precision: str = "float32",
    ) -> None:
        self.model = Model(size, device=device, threads=threads, precision=precision)
        self.phases: dict[str, float] = {}  # set by profile(): seconds of the fastest step
        self._threads = threads
        self._seconds = seconds  # for each meter in each round
        self._trainer = Trainer(self.model, learning_rate=LEARNING_RATE, schedule="constant")
        self._windows = windows(
            sample_text(), size.train_config.seq_len, size.train_config.batch_size
        )

    def training(self) -> Meter:
        return self._steps(self._trainer.step)

    def torch(self, *, scan: bool, compiled: bool = False) -> Meter:
        """PyTorch's step on the same model and device."""
        from slm.bench.peer import TorchModel

        peer = TorchModel(
            self.model,
            LEARNING_RATE,
            scan=scan,
            threads=self._threads,
            device=self.model.device,
            compiled=compiled,
        )
        return self._steps(peer.step)

    def profile(self) -> Meter:
        """Training with every operation timed; see `phases`."""

        def step(inputs: ByteArray, targets: ByteArray) -> None:
            start = time.perf_counter()
            phases = _core.profile_steps(self._trainer._core, inputs, targets, steps=1)
            total = time.perf_counter() - start
            if not self.phases or total < sum(self.phases.values()):
                self.phases = {**phases, "other": total - sum(phases.values())}

        return self._steps(step)

    def generation(self) -> Meter:
        """Generation of one text, with sampling."""
        return self._generated(b"", GENERATED_BYTES, GENERATED_BYTES)

    def prompt(self) -> Meter:
        prompt = _random_bytes(PROMPT_BYTES).tobytes()
        return self._generated(prompt, 1, PROMPT_BYTES)

    def scoring(self) -> Meter:
        """Scoring of as much of a long text as the time allows."""
        text = _random_bytes(SCORED_BYTES)
        return lambda: (
            SCORED_BYTES / _core.estimate_score_seconds(self.model._core, text, self._seconds)
        )

    def _steps(self, step: Callable[[ByteArray, ByteArray], object]) -> Meter:
        """All meters see the same windows in the same order."""
        turns = itertools.cycle(self._windows)
        return repeated(lambda: step(*next(turns)), self._windows[0][0].size, self._seconds)

    def _generated(self, prompt: bytes, max_bytes: int, num_bytes: int) -> Meter:
        return repeated(
            lambda: self.model.generate(prompt, max_bytes, seed=0), num_bytes, self._seconds
        )


def windows(text: ByteArray, seq_len: int, batch_size: int) -> list[tuple[ByteArray, ByteArray]]:
    """Inputs and targets, (T, B) each, of B parts of the text side by side; a text that is shorter
    than that is repeated."""
    steps = max(text.size // batch_size, seq_len + 1)
    columns = np.ascontiguousarray(np.resize(text, (batch_size, steps)).T)
    starts = range(0, steps - seq_len, seq_len)
    return [(columns[t : t + seq_len], columns[t + 1 : t + 1 + seq_len]) for t in starts]


def _random_bytes(*shape: int) -> ByteArray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
