"""The texts of the quality benchmark, and what each of their bytes is for.

Nothing is ever chosen by the held-out text: it is scored once, when a run is over.
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
    train: ByteArray  #: what a run learns from
    choose: ByteArray  #: cut off the training part: chooses a run's best state, and recipes
    held_out: ByteArray  #: for the figures

    @property
    def whole_train(self) -> ByteArray:
        """The training part, for what chooses nothing on the way."""
        parts = [self.train, self.choose]
        return np.concatenate(parts[::-1] if self.name == "shakespeare" else parts)


def corpus(name: str, for_search: bool = False) -> Corpus:
    """for_search: recipes are compared by more bytes than choose the best state of one run."""
    train, held_out, choose_bytes = _READERS[name]()
    # To choose the best state of a run takes little, and costs the run time and text.
    if for_search:
        choose_bytes = min(len(train) // 10, 1_000_000)
    # The held-out text goes on within a play whose beginning ends the training part: a run must not
    # lose that, so the cut is at the start. Books are whole.
    if name == "shakespeare":
        return Corpus(name, train[choose_bytes:], train[:choose_bytes], held_out)
    cut = len(train) - choose_bytes
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
            f"the books are in {path}, which is not here; --text shakespeare comes with slm"
        )
    train = np.frombuffer(lzma.decompress(path.read_bytes()), np.uint8)
    return train, slm.load_text(DATA / "books-valid.txt"), 300_000


_READERS: dict[str, Callable[[], tuple[ByteArray, ByteArray, int]]] = {
    "shakespeare": _shakespeare,
    "books": _books,
}
