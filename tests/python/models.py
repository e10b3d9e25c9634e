"""The small models that the tests use, and texts for them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

SIZE: dict[str, Any] = {"embed_dim": 12, "state_dim": 10, "num_layers": 2}

#: Arguments of slm.Model: the reference equations.
TINY: dict[str, Any] = {"preset": "seed-small", **SIZE}

#: To be added to TINY: every option that the reference equations do without.
ALL_OPTIONS: dict[str, Any] = {
    "cell": "gated",
    "residual": True,
    "norm": "rms",
    "mlp_dim": 6,
    "tie_embeddings": True,
    "head_bias": True,
    "ngram_orders": (2, 3),
    "ngram_buckets": 64,
    "ngram_dim": 5,
    "match_lengths": (2, 4),
    "match_span": 200,
}


def command_options(options: dict[str, Any]) -> list[str]:
    """The same options on the command line."""
    words = []
    for name, value in options.items():
        option = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{option}" if value else f"--no-{option}")
        else:
            listed = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
            words += [f"--{option}", listed]
    return words


def random_text(seq_len: int, batch_size: int) -> npt.NDArray[np.uint8]:
    """(T, B); the same for the same T."""
    rng = np.random.default_rng(seq_len)
    return rng.integers(0, 256, (seq_len, batch_size), dtype=np.uint8)
