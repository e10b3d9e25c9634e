"""The model in float64 NumPy, as plain as can be; the other files of this folder are its parts.

T seq_len, B batch_size, V = 256, E embed_dim, N state_dim, L num_layers; arrays are (T, B, width).
Parameters are a dict by the names of the model file.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from . import layers
from .layers import sigmoid
from .ngrams import MAX_ORDER, Rows, ngram_row, ngram_rows, occurring
from .optimizer import AdamW, global_norm, learning_rate
from .parameters import (
    PLAIN,
    VOCAB_SIZE,
    Array,
    Bytes,
    Options,
    Parameters,
    fixed_initial_values,
    init_bound,
    is_table,
    random_parameters,
    shapes,
)

__all__ = [  # what the tests use of the parts
    "PLAIN",
    "AdamW",
    "Array",
    "Bytes",
    "Options",
    "Parameters",
    "Rows",
    "fixed_initial_values",
    "global_norm",
    "init_bound",
    "is_table",
    "learning_rate",
    "ngram_row",
    "ngram_rows",
    "occurring",
    "random_parameters",
    "shapes",
    "sigmoid",
]


class State(NamedTuple):
    """The state of a text after the bytes read so far."""

    hidden: Array  # (L, B, N)
    read: Bytes  # (S, B), its latest bytes: all of a short text


class LayerTrace(NamedTuple):
    """Values of a layer that the backward pass needs."""

    u: Array  # its input
    h: Array  # (T + 1, B, N), from the state before the window
    y: Array  # what its mlp reads


def layer_parameters(params: Parameters, layer: int) -> Parameters:
    prefix = f"layers.{layer}."
    return {name.removeprefix(prefix): w for name, w in params.items() if name.startswith(prefix)}


def new_state(params: Parameters, batch_size: int) -> State:
    num_layers = len({name.split(".")[1] for name in params if name.startswith("layers.")})
    first = layer_parameters(params, 0)
    state_dim = len(first["A"]) if "A" in first else len(first["in.bias"]) // 3
    return State(np.zeros((num_layers, batch_size, state_dim)), np.zeros((0, batch_size), np.uint8))


def log_softmax(x: Array) -> Array:
    shifted = x - x.max(axis=-1, keepdims=True)
    result: Array = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return result


def embed(params: Parameters, inputs: Bytes, rows: dict[str, Rows]) -> Array:
    e = params["embedding.weight"][inputs]
    for name, table in rows.items():
        found = np.where(table[..., None] >= 0, params[name][table], 0.0)
        projection = params.get(name.replace("weight", "projection.weight"))
        e = e + (found if projection is None else found @ projection.T)
    return e


def embed_backward(
    params: Parameters, inputs: Bytes, rows: dict[str, Rows], de: Array, grads: Parameters
) -> None:
    np.add.at(grads["embedding.weight"], inputs, de)
    for name, table in rows.items():
        is_there = table >= 0
        found, d_found = params[name][table[is_there]], de[is_there]
        projection = name.replace("weight", "projection.weight")
        if projection in params:
            grads[projection] += d_found.T @ found
            d_found = d_found @ params[projection]
        np.add.at(grads[name], table[is_there], d_found)


def forward_with_trace(
    params: Parameters, inputs: Bytes, state: State | None, options: Options
) -> tuple[Array, State, list[LayerTrace], Array]:
    """Logits, the state after the window, and for the backward pass the layers and the last u."""
    state = state or new_state(params, inputs.shape[1])
    cell = layers.dense_forward if options.cell == "dense" else layers.gated_forward
    u = embed(params, inputs, ngram_rows(inputs, state.read, options))
    trace = []
    for i, h0 in enumerate(state.hidden):
        p = layer_parameters(params, i)
        y, h = cell(p, layers.norm_forward(u, p.get("norm.weight")), h0)
        if options.residual:
            y = y + u
        trace.append(LayerTrace(u, h, y))
        u = y
        if options.mlp_dim > 0:
            u = y + layers.mlp_forward(p, layers.norm_forward(y, p.get("mlp.norm.weight")))
    logits = u
    if options.has_head:
        head = params["embedding.weight" if options.tie_embeddings else "head.weight"]
        logits = layers.norm_forward(u, params.get("norm.weight")) @ head.T
        logits = logits + params.get("head.bias", 0)
    read = np.concatenate([state.read, inputs])[-max(MAX_ORDER - 1, options.match_span) :]
    return logits, State(np.stack([layer.h[-1] for layer in trace]), read), trace, u


def forward(
    params: Parameters, inputs: Bytes, state: State | None = None, options: Options = PLAIN
) -> tuple[Array, State]:
    """Logits (T, B, V) and the state after the window."""
    logits, after, _, _ = forward_with_trace(params, inputs, state, options)
    return logits, after


def loss(
    params: Parameters,
    inputs: Bytes,
    targets: Bytes,
    state: State | None = None,
    options: Options = PLAIN,
) -> float:
    """Mean cross-entropy in nats."""
    log_probs = log_softmax(forward(params, inputs, state, options)[0])
    return -float(np.take_along_axis(log_probs, targets[..., None].astype(int), axis=-1).mean())


def layer_backward(
    p: Parameters, trace: LayerTrace, dy: Array, options: Options
) -> tuple[Array, Parameters]:
    """du and the gradients of the layer's parameters, mlp included."""
    grads: Parameters = {}

    def through_norm(name: str, x: Array, dv: Array) -> Array:
        if name not in p:
            return dv
        dx, grads[name] = layers.norm_backward(x, p[name], dv)
        return dx

    if options.mlp_dim > 0:
        v = layers.norm_forward(trace.y, p.get("mlp.norm.weight"))
        dv, mlp_grads = layers.mlp_backward(p, v, dy)
        dy = dy + through_norm("mlp.norm.weight", trace.y, dv)
        grads |= mlp_grads
    cell = layers.dense_backward if options.cell == "dense" else layers.gated_backward
    v = layers.norm_forward(trace.u, p.get("norm.weight"))
    dv, cell_grads = cell(p, v, trace.h, dy)
    du = through_norm("norm.weight", trace.u, dv)
    return du + dy if options.residual else du, grads | cell_grads


def gradients(
    params: Parameters,
    inputs: Bytes,
    targets: Bytes,
    state: State | None = None,
    options: Options = PLAIN,
) -> tuple[float, Parameters]:
    """The loss and its gradient by every parameter: full BPTT, none into the initial state."""
    state = state or new_state(params, inputs.shape[1])
    logits, _, trace, u = forward_with_trace(params, inputs, state, options)
    onehot = np.eye(VOCAB_SIZE)[targets]
    log_probs = log_softmax(logits)
    dy = (np.exp(log_probs) - onehot) / inputs.size

    grads = {name: np.zeros_like(w) for name, w in params.items()}
    if options.has_head:
        head = "embedding.weight" if options.tie_embeddings else "head.weight"
        norm = params.get("norm.weight")
        grads[head] += layers.outer_sum(dy, layers.norm_forward(u, norm))
        if options.head_bias:
            grads["head.bias"] = dy.sum(axis=(0, 1))
        dy = dy @ params[head]
        if norm is not None:
            dy, grads["norm.weight"] = layers.norm_backward(u, norm, dy)
    for i in reversed(range(len(trace))):
        dy, layer_grads = layer_backward(layer_parameters(params, i), trace[i], dy, options)
        grads |= {f"layers.{i}.{name}": g for name, g in layer_grads.items()}
    embed_backward(params, inputs, ngram_rows(inputs, state.read, options), dy, grads)
    return -float((log_probs * onehot).sum(axis=-1).mean()), grads
