"""Score: the result of Model.score, and scores of many texts."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from slm import _core
from slm.text import ByteArray, Text, file_name, to_array


@dataclass(frozen=True)
class Score:
    """Cross-entropy of a text under a model, by the protocol of docs/evaluation.md; NaN for a text
    of no bytes."""

    nats_per_byte: float
    bits_per_byte: float
    perplexity: float  #: per byte, exp(nats_per_byte)
    num_bytes: int
    #: (num_bytes,) natural logarithms, or empty
    log_probs: npt.NDArray[np.float32] = field(repr=False)


def text_array(text: Text, what: str, allow_file_name: bool = False) -> ByteArray:
    """As `to_array`, but a file may be empty, as any other text may."""
    if isinstance(text, os.PathLike) and os.path.isfile(text):
        with open(file_name(text), "rb") as file:
            if not file.read(1):
                return np.empty(0, np.uint8)
    return to_array(text, what, allow_file_name=allow_file_name)


def score_texts(core: _core.Model, texts: Iterable[Text], log_probs: bool) -> list[Score]:
    if isinstance(texts, (str, bytes, np.ndarray, os.PathLike)):
        raise TypeError(
            f"texts must be a list of texts, got {type(texts).__name__}; score() scores one text"
        )
    arrays = [text_array(text, f"texts[{i}]", allow_file_name=True) for i, text in enumerate(texts)]
    return [Score(**score) for score in core.score_many(arrays, log_probs)]
