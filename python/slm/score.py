"""Score: the result of Model.score."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Score:
    """Cross-entropy of a text under a model, by the protocol of docs/evaluation.md."""

    nats_per_byte: float
    bits_per_byte: float
    perplexity: float  #: per byte, exp(nats_per_byte)
    num_bytes: int
    #: (num_bytes,) natural logarithms, or empty
    log_probs: npt.NDArray[np.float32] = field(repr=False)
