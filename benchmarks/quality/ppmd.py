"""PPMd: by how much the held-out text lengthens the archive of the training text."""

from __future__ import annotations

import math
import time
from typing import Any

from quality.records import machine
from quality.texts import Corpus

VARIANTS = ("H", "I")  # of 7-Zip's .7z and of its .zip
# An order that suits the length of the text, and enough memory to keep all statistics.
SETTINGS = {"shakespeare": (6, 256 << 20), "books": (8, 1 << 30), "nothing": (6, 256 << 20)}


def ppmd(corpus: Corpus, variant: str, trained: bool) -> dict[str, Any]:
    """PPMd is adaptive, so its figure compares with dynamic evaluation, `score(adapt=True)`.
    trained: whether it reads the whole training text before the held-out text."""
    order, memory = SETTINGS[corpus.name if trained else "nothing"]
    here = machine(1)
    started = time.perf_counter()
    before = corpus.whole_train.tobytes() if trained else b""
    added = compressed_size(before + corpus.held_out.tobytes(), variant, order, memory)
    added -= compressed_size(before, variant, order, memory) if before else 0
    return {
        "kind": "ppmd",
        "text": corpus.name,
        "variant": variant,
        "order": order,
        "memory": memory,
        "bytes_trained": len(before),
        "nats_per_byte": 8 * math.log(2) * added / len(corpus.held_out),
        "seconds_taken": round(time.perf_counter() - started, 3),
        **here,
    }


def compressed_size(data: bytes, variant: str, order: int, memory: int) -> int:
    import pyppmd

    encoder = {"H": pyppmd.Ppmd7Encoder, "I": pyppmd.Ppmd8Encoder}[variant](order, memory)
    return len(encoder.encode(data)) + len(encoder.flush())
