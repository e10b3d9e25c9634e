"""The sizes that are measured, and what is counted of them."""

from __future__ import annotations

import math
from dataclasses import replace

from slm.config import Preset, presets
from slm.model import Model


def standard_sizes() -> dict[str, Preset]:
    """Every preset by name, and three sizes of the reference model of which figures are kept."""
    sizes = presets()
    for E, N, L, T, B in ((128, 128, 2, 128, 32), (256, 256, 4, 256, 16), (512, 256, 8, 256, 16)):
        size = reference_size(E, N, L, T, B)
        if size not in sizes.values():
            sizes[label(size)] = size
    return sizes


def reference_size(E: int, N: int, L: int, T: int, B: int) -> Preset:
    base = presets()["seed-small"]
    return Preset(
        replace(base.model, embed_dim=E, state_dim=N, num_layers=L),
        replace(base.training, seq_len=T, batch_size=B),
    )


def label(size: Preset) -> str:
    m, t = size.model, size.training
    return f"E={m.embed_dim} N={m.state_dim} L={m.num_layers} T={t.seq_len} B={t.batch_size}"


def multiplied_weights(model: Model) -> int:
    """How many weights a byte is multiplied with: all matrices but the table that is looked up.
    Each costs two operations forward and four backward; nothing else counts as useful."""
    return sum(
        math.prod(shape)
        for name, shape in model._core.tensors
        if len(shape) == 2 and name != "embedding.weight"
    )
