"""The reference model (`cell="dense"`) and its optimiser in float64 NumPy, as plain as can be.

T seq_len, B batch_size, V = 256, E embed_dim, N state_dim, L num_layers; arrays are (T, B, width),
a state is (L, B, N). Parameters are a dict by the names of the model file.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Bytes = NDArray[np.uint8]
Parameters = dict[str, Array]

VOCAB_SIZE = 256


def shapes(embed_dim: int, state_dim: int, num_layers: int) -> dict[str, tuple[int, int]]:
    """Every parameter's shape, in the order of the tensor table."""
    result = {"embedding.weight": (VOCAB_SIZE, embed_dim)}
    for i in range(num_layers):
        out_dim = VOCAB_SIZE if i == num_layers - 1 else embed_dim
        result[f"layers.{i}.A"] = (state_dim, state_dim)
        result[f"layers.{i}.B"] = (state_dim, embed_dim)
        result[f"layers.{i}.C"] = (out_dim, state_dim)
        result[f"layers.{i}.D"] = (out_dim, embed_dim)
    return result


def init_bound(name: str, init: str, embed_dim: int, state_dim: int) -> float:
    """Initial values are uniform in plus or minus this."""
    e, n = 1 / math.sqrt(embed_dim), 1 / math.sqrt(state_dim)
    if name == "embedding.weight":
        return 1.0 if init == "tuned" else e
    return {"A": 0.5 * n, "B": 1.5 * e, "C": 1.5 * n, "D": 1.5 * e}[name[-1]]


def random_parameters(
    embed_dim: int, state_dim: int, num_layers: int, rng: np.random.Generator
) -> Parameters:
    """Larger than initial values, and with states that last: A is 0.9 times a rotation."""
    result = {}
    for name, shape in shapes(embed_dim, state_dim, num_layers).items():
        values = rng.standard_normal(shape)
        if name.endswith("A"):
            values = 0.9 * np.linalg.qr(values)[0]
        else:
            values = values / math.sqrt(shape[1])
        result[name] = values.astype(np.float32).astype(np.float64)
    return result


def count_layers(params: Parameters) -> int:
    return sum(name.endswith(".A") for name in params)


def sigmoid(x: Array) -> Array:
    return 0.5 * (1 + np.tanh(0.5 * x))


def log_softmax(x: Array) -> Array:
    shifted = x - x.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def zero_state(params: Parameters, batch_size: int) -> Array:
    return np.zeros((count_layers(params), batch_size, params["layers.0.A"].shape[0]))


def forward(
    params: Parameters, inputs: Bytes, state: Array | None = None
) -> tuple[Array, Array, list[tuple[Array, Array]]]:
    """Logits (T, B, V), the state after the window, and each layer's inputs u and states h.

    h has T + 1 steps: h[0] is the state before the window.
    """
    seq_len, batch_size = inputs.shape
    if state is None:
        state = zero_state(params, batch_size)
    u = params["embedding.weight"][inputs]
    layers = []
    for i in range(count_layers(params)):
        a, b, c, d = (params[f"layers.{i}.{name}"] for name in "ABCD")
        h = np.empty((seq_len + 1, batch_size, a.shape[0]))
        h[0] = state[i]
        for t in range(seq_len):
            h[t + 1] = h[t] @ a.T + u[t] @ b.T
        layers.append((u, h))
        s = h[1:] * sigmoid(h[1:])
        u = s @ c.T + u @ d.T
    return u, np.stack([h[-1] for _, h in layers]), layers


def loss(params: Parameters, inputs: Bytes, targets: Bytes, state: Array | None = None) -> float:
    """Mean cross-entropy in nats."""
    logits, _, _ = forward(params, inputs, state)
    log_probs = np.take_along_axis(log_softmax(logits), targets[..., None].astype(int), axis=-1)
    return -float(log_probs.mean())


def outer_sum(dy: Array, x: Array) -> Array:
    """Gradient of W in y = W x, summed over time and batch."""
    return dy.reshape(-1, dy.shape[-1]).T @ x.reshape(-1, x.shape[-1])


def gradients(
    params: Parameters, inputs: Bytes, targets: Bytes, state: Array | None = None
) -> tuple[float, Parameters]:
    """The loss and its gradient by every parameter: full BPTT, none into the initial state."""
    logits, _, layers = forward(params, inputs, state)
    seq_len, batch_size = inputs.shape
    onehot = np.eye(VOCAB_SIZE)[targets]
    log_probs = log_softmax(logits)
    dy = (np.exp(log_probs) - onehot) / (seq_len * batch_size)

    grads = {}
    for i in reversed(range(len(layers))):
        a, b, c, d = (params[f"layers.{i}.{name}"] for name in "ABCD")
        u, h = layers[i]
        gate = sigmoid(h[1:])
        swish, swish_slope = h[1:] * gate, gate * (1 + h[1:] * (1 - gate))
        dh = (dy @ c) * swish_slope
        for t in reversed(range(seq_len - 1)):
            dh[t] += dh[t + 1] @ a
        grads[f"layers.{i}.A"] = outer_sum(dh, h[:-1])
        grads[f"layers.{i}.B"] = outer_sum(dh, u)
        grads[f"layers.{i}.C"] = outer_sum(dy, swish)
        grads[f"layers.{i}.D"] = outer_sum(dy, u)
        dy = dy @ d + dh @ b
    grads["embedding.weight"] = np.zeros_like(params["embedding.weight"])
    np.add.at(grads["embedding.weight"], inputs, dy)
    return -float((log_probs * onehot).sum(axis=-1).mean()), grads


def global_norm(grads: Parameters) -> float:
    return math.sqrt(sum(float((g**2).sum()) for g in grads.values()))


def learning_rate(step: int, *, peak: float, warmup_steps: int, schedule: str, steps: int) -> float:
    """Of update `step`, counted from 0."""
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    if schedule == "constant":
        return peak
    done = (step - warmup_steps) / (steps - warmup_steps)
    return peak * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


class AdamW:
    """AdamW with decoupled decay on every tensor, after clipping by global norm (0: none)."""

    def __init__(
        self,
        params: Parameters,
        *,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.01,
        clip_norm: float = 0.0,
    ) -> None:
        self.params = params
        self.beta1, self.beta2, self.epsilon = beta1, beta2, epsilon
        self.weight_decay, self.clip_norm = weight_decay, clip_norm
        self.updates = 0
        self.m = {name: np.zeros_like(w) for name, w in params.items()}
        self.v = {name: np.zeros_like(w) for name, w in params.items()}

    def step(self, grads: Parameters, rate: float) -> None:
        """Updates `params` in place."""
        self.updates += 1
        norm = global_norm(grads)
        scale = self.clip_norm / norm if 0 < self.clip_norm < norm else 1.0
        for name, w in self.params.items():
            g = grads[name] * scale
            m = self.m[name] = self.beta1 * self.m[name] + (1 - self.beta1) * g
            v = self.v[name] = self.beta2 * self.v[name] + (1 - self.beta2) * g**2
            m_hat = m / (1 - self.beta1**self.updates)
            v_hat = v / (1 - self.beta2**self.updates)
            w *= 1 - rate * self.weight_decay
            w -= rate * m_hat / (np.sqrt(v_hat) + self.epsilon)
