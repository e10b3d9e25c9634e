"""The parts of a layer, each forward beside its backward. Arrays are (T, B, width); h has T + 1
steps, of which h[0] is the state before the window; `p` are a layer's own parameters."""

from __future__ import annotations

import numpy as np

from .parameters import Array, Parameters

NORM_EPSILON = 1e-6


def sigmoid(x: Array) -> Array:
    return 0.5 * (1 + np.tanh(0.5 * x))


def swish(x: Array) -> Array:
    return x * sigmoid(x)


def swish_slope(x: Array) -> Array:
    return sigmoid(x) * (1 + x * (1 - sigmoid(x)))


def outer_sum(dy: Array, x: Array) -> Array:
    """Gradient of W in y = W x, summed over time and batch."""
    dw: Array = dy.reshape(-1, dy.shape[-1]).T @ x.reshape(-1, x.shape[-1])
    return dw


def norm_forward(x: Array, w: Array | None) -> Array:
    """x itself where there is no w."""
    if w is None:
        return x
    y: Array = w * x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + NORM_EPSILON)
    return y


def norm_backward(x: Array, w: Array, dy: Array) -> tuple[Array, Array]:
    """dx and dw."""
    root = np.sqrt((x**2).mean(axis=-1, keepdims=True) + NORM_EPSILON)
    unit = x / root
    dx = (w * dy - unit * (w * dy * unit).mean(axis=-1, keepdims=True)) / root
    return dx, (dy * unit).sum(axis=(0, 1))


def dense_forward(p: Parameters, v: Array, h0: Array) -> tuple[Array, Array]:
    """y and h."""
    h = np.empty((len(v) + 1, *h0.shape))
    h[0] = h0
    for t in range(len(v)):
        h[t + 1] = h[t] @ p["A"].T + v[t] @ p["B"].T
    return swish(h[1:]) @ p["C"].T + v @ p["D"].T, h


def dense_backward(p: Parameters, v: Array, h: Array, dy: Array) -> tuple[Array, Parameters]:
    """dv and the gradients of p."""
    dh = (dy @ p["C"]) * swish_slope(h[1:])
    for t in reversed(range(len(v) - 1)):
        dh[t] += dh[t + 1] @ p["A"]
    grads = {
        "A": outer_sum(dh, h[:-1]),
        "B": outer_sum(dh, v),
        "C": outer_sum(dy, swish(h[1:])),
        "D": outer_sum(dy, v),
    }
    return dy @ p["D"] + dh @ p["B"], grads


def gates(p: Parameters, v: Array) -> tuple[Array, Array, Array]:
    """a, z and g."""
    f, z, g = np.split(v @ p["in.weight"].T + p["in.bias"], 3, axis=-1)
    return sigmoid(f), z, g


def gated_forward(p: Parameters, v: Array, h0: Array) -> tuple[Array, Array]:
    """y and h."""
    a, z, g = gates(p, v)
    h = np.empty((len(v) + 1, *h0.shape))
    h[0] = h0
    for t in range(len(v)):
        h[t + 1] = a[t] * h[t] + (1 - a[t]) * z[t]
    return (h[1:] * swish(g)) @ p["out.weight"].T, h


def gated_backward(p: Parameters, v: Array, h: Array, dy: Array) -> tuple[Array, Parameters]:
    """dv and the gradients of p."""
    a, z, g = gates(p, v)
    ds = dy @ p["out.weight"]
    dh = ds * swish(g)
    for t in reversed(range(len(v) - 1)):
        dh[t] += dh[t + 1] * a[t + 1]
    df = dh * (h[:-1] - z) * a * (1 - a)
    dq = np.concatenate([df, dh * (1 - a), ds * h[1:] * swish_slope(g)], axis=-1)
    grads = {
        "in.weight": outer_sum(dq, v),
        "in.bias": dq.sum(axis=(0, 1)),
        "out.weight": outer_sum(dy, h[1:] * swish(g)),
    }
    return dq @ p["in.weight"], grads


def mlp_forward(p: Parameters, x: Array) -> Array:
    """SwiGLU."""
    q1, q2 = np.split(x @ p["mlp.in.weight"].T, 2, axis=-1)
    y: Array = (swish(q1) * q2) @ p["mlp.out.weight"].T
    return y


def mlp_backward(p: Parameters, x: Array, dy: Array) -> tuple[Array, Parameters]:
    """dx and the gradients of p."""
    q1, q2 = np.split(x @ p["mlp.in.weight"].T, 2, axis=-1)
    dm = dy @ p["mlp.out.weight"]
    dq = np.concatenate([dm * q2 * swish_slope(q1), dm * swish(q1)], axis=-1)
    grads = {"mlp.in.weight": outer_sum(dq, x), "mlp.out.weight": outer_sum(dy, swish(q1) * q2)}
    return dq @ p["mlp.in.weight"], grads
