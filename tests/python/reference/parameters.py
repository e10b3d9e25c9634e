"""Names, shapes, initial and random values of a model's parameters, by its options."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Bytes = NDArray[np.uint8]
Parameters = dict[str, Array]

VOCAB_SIZE = 256


@dataclass(frozen=True)
class Options:
    """A config's fields beside the three sizes and init, by their names there."""

    cell: str = "dense"
    residual: bool = False
    norm: str = "none"
    mlp_dim: int = 0
    tie_embeddings: bool = False
    head_bias: bool = False
    ngram_orders: tuple[int, ...] = ()
    ngram_buckets: int = 16384
    ngram_dim: int = 0
    match_lengths: tuple[int, ...] = ()
    match_span: int = 4096
    fixed_share: float = 0

    @property
    def has_head(self) -> bool:
        """Whether logits come from a head and not from the last layer."""
        options = (self.cell != "dense", self.norm != "none", self.residual, self.mlp_dim > 0)
        return any(options) or self.tie_embeddings


PLAIN = Options()


def layer_shapes(
    embed_dim: int, state_dim: int, out_dim: int, options: Options
) -> dict[str, tuple[int, ...]]:
    norm = {"norm.weight": (embed_dim,)} if options.norm == "rms" else {}
    result: dict[str, tuple[int, ...]] = {**norm}
    if options.cell == "dense":
        result["A"] = (state_dim, state_dim)
        result["B"] = (state_dim, embed_dim)
        result["C"] = (out_dim, state_dim)
        result["D"] = (out_dim, embed_dim)
    else:
        result["in.weight"] = (3 * state_dim, embed_dim)
        result["in.bias"] = (3 * state_dim,)
        result["out.weight"] = (embed_dim, state_dim)
    if options.mlp_dim > 0:
        result |= {f"mlp.{name}": shape for name, shape in norm.items()}
        result["mlp.in.weight"] = (2 * options.mlp_dim, embed_dim)
        result["mlp.out.weight"] = (embed_dim, options.mlp_dim)
    return result


def shapes(
    embed_dim: int, state_dim: int, num_layers: int, options: Options = PLAIN
) -> dict[str, tuple[int, ...]]:
    """Every parameter's shape, in the order of the tensor table."""
    result: dict[str, tuple[int, ...]] = {"embedding.weight": (VOCAB_SIZE, embed_dim)}
    for i in range(num_layers):
        makes_logits = i == num_layers - 1 and not options.has_head
        out_dim = VOCAB_SIZE if makes_logits else embed_dim
        layer = layer_shapes(embed_dim, state_dim, out_dim, options)
        result |= {f"layers.{i}.{name}": shape for name, shape in layer.items()}
    if options.norm == "rms":
        result["norm.weight"] = (embed_dim,)
    if options.has_head and not options.tie_embeddings:
        result["head.weight"] = (VOCAB_SIZE, embed_dim)
    if options.head_bias:
        result["head.bias"] = (VOCAB_SIZE,)
    width = options.ngram_dim or embed_dim
    rows = {f"ngram.{n}": 65536 if n == 2 else options.ngram_buckets for n in options.ngram_orders}
    rows |= {f"match.{m}": 6 * VOCAB_SIZE for m in options.match_lengths}
    if width != embed_dim:
        result |= {f"{name}.projection.weight": (embed_dim, width) for name in rows}
    return result | {f"{name}.weight": (count, width) for name, count in rows.items()}


def is_table(name: str) -> bool:
    """Whether positions look up rows of it: of n-grams or of matches."""
    return name.startswith(("ngram.", "match.")) and not name.endswith("projection.weight")


def is_decayed(name: str) -> bool:
    """Matrices are; norms, biases and n-gram tables are not."""
    return not (name.endswith(("norm.weight", ".bias")) or is_table(name))


def init_bound(name: str, shape: tuple[int, ...], init: str) -> float:
    """Initial values of a matrix are uniform in plus or minus this."""
    inverse_root = 1 / math.sqrt(shape[-1])
    if name == "embedding.weight":
        return 1.0 if init == "tuned" else inverse_root
    dense = {"A": 0.5, "B": 1.5, "C": 1.5, "D": 1.5}
    return dense.get(name.rpartition(".")[2], 1.0) * inverse_root


def fixed_initial_values(name: str, shape: tuple[int, ...]) -> Array | None:
    """Initial values of the tensors that do not start at random."""
    if name.endswith("norm.weight"):
        return np.ones(shape)
    if name.endswith("in.bias"):
        state_dim = shape[0] // 3
        return np.concatenate([np.linspace(0.5, 5, state_dim), np.zeros(2 * state_dim)])
    return np.zeros(shape) if name == "head.bias" or is_table(name) else None


def random_parameters(
    embed_dim: int,
    state_dim: int,
    num_layers: int,
    rng: np.random.Generator,
    options: Options = PLAIN,
) -> Parameters:
    """Larger than initial values, and with states that last: A is 0.9 times a rotation, and gates
    keep most of a state."""
    result = {}
    for name, shape in shapes(embed_dim, state_dim, num_layers, options).items():
        values = rng.standard_normal(shape)
        if name.endswith(".A"):
            values = 0.9 * np.linalg.qr(values)[0]
        elif name.endswith("norm.weight"):
            values = 1 + 0.3 * values
        elif name.endswith("in.bias"):
            values[:state_dim] += 1.5
        elif name != "head.bias":
            values = values / math.sqrt(shape[1])
        result[name] = values.astype(np.float32).astype(np.float64)
    return result
