"""The texts of the quality benchmark, split into training, validation and held-out text.

The held-out text selects nothing: it is scored once, after a run.
"""

from __future__ import annotations

import lzma
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import slm
from slm.text import ByteArray

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


@dataclass(frozen=True)
class Corpus:
    """A text in three parts."""

    name: str
    train: ByteArray  #: what a run trains on
    validation: ByteArray  #: cut from the training text: selects the best weights, and recipes
    held_out: ByteArray  #: for the published figures

    @property
    def whole_train(self) -> ByteArray:
        """Training and validation text, for programs that need no validation."""
        parts = [self.train, self.validation]
        return np.concatenate(parts[::-1] if self.name == "shakespeare" else parts)


def corpus(name: str, for_search: bool = False) -> Corpus:
    """for_search: comparing recipes takes more bytes than selecting the best weights of a run."""
    train, held_out, validation_bytes = _READERS[name]()
    if for_search:
        validation_bytes = min(len(train) // 10, 1_000_000)
    # The held-out text begins in the middle of a play, whose first half ends the training text. So
    # that training keeps that half, the cut is at the start. Books are complete.
    if name == "shakespeare":
        return Corpus(name, train[validation_bytes:], train[:validation_bytes], held_out)
    cut = len(train) - validation_bytes
    return Corpus(name, train[:cut], train[cut:], held_out)


def names() -> list[str]:
    return list(_READERS)


def _shakespeare() -> tuple[ByteArray, ByteArray, int]:
    text = slm.sample_text()  # the same bytes as ../shared/data/tinyshakespeare.txt
    cut = 9 * len(text) // 10
    return text[:cut], text[cut:], 40_000


def _books() -> tuple[ByteArray, ByteArray, int]:
    path = DATA / "books-train.txt.xz"
    if not path.exists():
        raise FileNotFoundError(
            f"the books, {path}, are not here; --text shakespeare comes with slm"
        )
    train = np.frombuffer(lzma.decompress(path.read_bytes()), np.uint8)
    return train, slm.load_text(DATA / "books-valid.txt"), 300_000


_READERS: dict[str, Callable[[], tuple[ByteArray, ByteArray, int]]] = {
    "shakespeare": _shakespeare,
    "books": _books,
}
