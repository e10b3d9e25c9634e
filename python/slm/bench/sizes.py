"""The model sizes that are measured, and their number of multiplied weights."""

from __future__ import annotations

import math
from dataclasses import replace

from slm.config import Config, Preset, presets
from slm.model import Model


def standard_sizes() -> dict[str, Preset]:
    """Every preset by name, and three sizes of the reference model."""
    sizes = presets()
    for E, N, L, T, B in ((128, 128, 2, 128, 32), (256, 256, 4, 256, 16), (512, 256, 8, 256, 16)):
        size = reference_size(E, N, L, T, B)
        if size not in sizes.values():
            sizes[label(size)] = size
    return sizes


def recommended_sizes() -> dict[str, Preset]:
    """The presets with gated cells, by name."""
    return {name: size for name, size in presets().items() if size.config.cell == "gated"}


def reference_size(E: int, N: int, L: int, T: int, B: int) -> Preset:
    base = presets()["seed-small"]
    return Preset(
        replace(base.config, embed_dim=E, state_dim=N, num_layers=L),
        replace(base.train_config, seq_len=T, batch_size=B),
    )


def label(size: Preset) -> str:
    m, t = size.config, size.train_config
    mlp = f" M={m.mlp_dim}" if m.mlp_dim else ""
    ngrams = ""
    if m.ngram_orders:
        width = f"x{m.ngram_dim}" if m.ngram_dim not in (0, m.embed_dim) else ""
        ngrams = f" n={','.join(map(str, m.ngram_orders))}:{m.ngram_buckets}{width}"
    if m.match_lengths:
        ngrams += f" m={','.join(map(str, m.match_lengths))}:{m.match_span}"
    return (
        f"{'' if m.cell == 'dense' else f'{m.cell} '}E={m.embed_dim} N={m.state_dim} "
        f"L={m.num_layers}{mlp}{ngrams} T={t.seq_len} B={t.batch_size}"
    )


def has_sparse_tables(config: Config) -> bool:
    return bool(config.ngram_orders or config.match_lengths)


def without_ngrams(size: Preset) -> Preset:
    return replace(size, config=replace(size.config, ngram_orders=(), match_lengths=()))


def multiplied_weights(model: Model) -> int:
    """The number of weights that take part in a byte's matrix products: all matrices but the
    embedding tables. Each costs two operations forward and four backward; nothing else counts as
    useful."""
    untied = not model.config.tie_embeddings  # else the embedding is the head's matrix, too
    return sum(
        math.prod(tensor["shape"])
        for name, tensor in model._core.tensors.items()
        if len(tensor["shape"]) == 2
        and not tensor["sparse"]
        and not (untied and name == "embedding.weight")
    )
