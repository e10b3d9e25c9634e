"""Cold starts: samples of an empty prompt and the loss of a text's first bytes, for young and old
models of texts of several kinds.

A cold start is where every generation and every score of a short text begins: zero state, and no
byte before the first. Samples may have any byte (`allowed=None`) at temperature 1.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import slm
from slm.generate import SampleOptions
from slm.text import ByteArray

from quality.records import machine

SAMPLES = 1000
FIRST_BYTES = 32  #: of a text, whose loss is compared cold and warm
WARM_BYTES = 300  #: before a text, where it is warm
STARTS = 200  #: texts whose first bytes are scored


@dataclass(frozen=True)
class Case:
    """A text, how to train on it, and what a sample has to be."""

    name: str
    text: ByteArray
    preset: str
    steps: int
    good: Callable[[bytes], bool]  #: whether a sample is right
    max_bytes: int = 50
    prompt: bytes = b""
    documents: str | None = None  #: as in Model.train
    held_out: ByteArray | None = None  #: not trained on; its paragraphs or lines are scored


def lines(items: list[bytes]) -> ByteArray:
    return np.frombuffer(b"".join(item + b"\n" for item in items), np.uint8)


def dna() -> Case:
    letters = np.frombuffer(b"ACGT", np.uint8)
    text = letters[np.random.default_rng(1).integers(4, size=500_000)]
    return Case("dna", text, "small", 200, partial(within, b"ACGT"))


def symbols() -> Case:
    alphabet = np.frombuffer(b"abcdefghijklmnop", np.uint8)
    drawn = np.random.default_rng(2).integers(16, size=(10_000, 24))
    text = [alphabet[row].tobytes() for row in drawn]
    good = partial(within, alphabet.tobytes() + b"\n")
    return Case("symbols", lines(text[:8000]), "nano", 250, good, 40, held_out=lines(text[8000:]))


def all_work() -> Case:
    line = b"All work and no play makes Jack a dull boy."
    good = partial(starts_with, line + b"\n")
    return Case("all-work", lines([line] * 3000), "nano", 300, good, held_out=lines([line] * 300))


def shakespeare(prompt: bytes = b"") -> Case:
    text = slm.sample_text()
    cut = 9 * len(text) // 10
    good = partial(within, np.unique(text).tobytes())
    name = "shakespeare" + (f" after {prompt.decode()!r}" if prompt else "")
    return Case(name, text, slm.default_preset, 1500, good, prompt=prompt, held_out=text[cut:])


def names(documents: str | None = None) -> Case:
    """5,000 invented names of two or three syllables."""
    onset = ["B", "D", "El", "F", "G", "H", "J", "K", "L", "M", "N", "Ol", "P", "R", "S", "T", "V"]
    vowel = ["a", "e", "i", "o", "u", "ai", "ea", "ia"]
    coda = ["l", "n", "r", "s", "ma", "na", "ra", "lia", "rin", "tte", "ton", "vy", "x", "th", ""]
    rng = np.random.default_rng(3)
    middle = ["", "", "n", "ll", "r", "dr", "s"]
    drawn: set[str] = set()
    while len(drawn) < 6000:
        parts = [onset, vowel, middle, vowel, coda]
        drawn.add("".join(part[rng.integers(len(part))] for part in parts))
    items = [name.encode() for name in sorted(drawn)]
    rng.shuffle(items)
    name, held_out = "names", lines(items[5000:])
    if documents is not None:  # whose texts are no lines
        name, held_out = f"names, documents={documents}", None
    text = lines(items[:5000])
    return Case(name, text, "nano", 150, capital, 20, b"", documents, held_out)


def cases() -> dict[str, Callable[[], Case]]:
    return {
        "dna": dna,
        "symbols": symbols,
        "all-work": all_work,
        "names": names,
        "names-documents": partial(names, "lines"),
        "shakespeare": shakespeare,
    }


def within(alphabet: bytes, sample: bytes) -> bool:
    return not sample.strip(alphabet) and set(sample) <= set(alphabet)


def starts_with(line: bytes, sample: bytes) -> bool:
    return sample.startswith(line)


def capital(sample: bytes) -> bool:
    return sample[:1].isupper() and sample[:1].isascii()


def run(make: Callable[[], Case], seed: int, overrides: dict[str, Any]) -> dict[str, Any]:
    """One line of cold.jsonl."""
    case = make()
    model = slm.Model(case.preset, seed=seed)
    keywords: dict[str, Any] = {"steps": case.steps, "seed": seed, **overrides}
    if case.documents is not None:
        keywords["documents"] = case.documents
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        history = model.train(case.text, **keywords)
    record = {
        "case": case.name,
        "preset": case.preset,
        "steps": case.steps,
        "seed": seed,
        "overrides": overrides,
        **machine(None, "float32"),
        "loss": round(history.best_loss, 5),
        "good": count_good(model, case),
    }
    if case.documents is not None:
        record["ended"] = count_ended(model, case)
    if case.name == "shakespeare":
        record["good_th"] = count_good(model, case, b"Th")
    if case.held_out is not None:
        record["first_bytes_cold"], record["first_bytes_warm"] = first_bytes(model, case)
    return record


def sample(model: slm.Model, case: Case, prompt: bytes = b"", **more: Any) -> list[Any]:
    options: dict[str, Any] = {"temperature": 1.0, "seed": 1, "num_samples": SAMPLES, **more}
    if "allowed" in SampleOptions.__dataclass_fields__:
        options["allowed"] = None
    return model.generate(prompt, case.max_bytes, **options)


def count_good(model: slm.Model, case: Case, prompt: bytes = b"") -> int:
    return sum(case.good(text) for text in sample(model, case, prompt))


def count_ended(model: slm.Model, case: Case) -> int:
    """Samples that end by themselves before max_bytes."""
    return sum(text.finish_reason == "end" for text in sample(model, case, details=True))


def first_bytes(model: slm.Model, case: Case) -> tuple[float, float]:
    """Mean loss of the first bytes of the held-out paragraphs or lines, cold and after the text
    before them."""
    assert case.held_out is not None
    data = case.held_out.tobytes()
    mark = b"\n\n" if b"\n\n" in data else b"\n"
    starts, at = [], data.find(mark, WARM_BYTES) + len(mark)
    while at >= len(mark) and len(starts) < STARTS and at + FIRST_BYTES <= len(data):
        starts.append(at)
        at = data.find(mark, at + FIRST_BYTES) + len(mark)
    cold, warm = [], []
    for start in starts:
        text = np.frombuffer(data[start : start + FIRST_BYTES], np.uint8)
        before = np.frombuffer(data[start - WARM_BYTES : start + FIRST_BYTES], np.uint8)
        cold.append(-model.score(text).log_probs.mean())
        warm.append(-model.score(before).log_probs[WARM_BYTES:].mean())
    return round(float(np.mean(cold)), 4), round(float(np.mean(warm)), 4)
