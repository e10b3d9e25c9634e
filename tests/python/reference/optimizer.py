"""The optimizer: a schedule, clipping, AdamW, and the rule for rows of n-gram tables."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from .ngrams import Rows
from .parameters import Array, Parameters, is_decayed, is_table


def global_norm(grads: Parameters) -> float:
    return math.sqrt(sum(float((g**2).sum()) for g in grads.values()))


def learning_rate(
    step: int,
    *,
    peak: float,
    warmup_steps: int,
    schedule: str,
    steps: int,
    min_lr_ratio: float = 0.0,
) -> float:
    """The learning rate of update `step`, counted from 0."""
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    if schedule == "constant":
        return peak
    done = (step - warmup_steps) / (steps - warmup_steps)
    falling = 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
    return peak * (min_lr_ratio + (1 - min_lr_ratio) * falling)


def radius_bound(a: Array) -> float:
    """An estimate of the spectral radius, by the norm of a power."""
    return float(np.linalg.norm(np.linalg.matrix_power(a, 64)) ** (1 / 64))


class AdamW:
    """After clipping by global norm (0: none), AdamW with decoupled decay on matrices; of n-gram
    tables, one second moment per row that occurs. Then a bound on the spectral radius of every A
    (0: none)."""

    def __init__(
        self,
        params: Parameters,
        *,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.01,
        clip_norm: float = 0.0,
        table_lr_scale: float = 3.0,
        max_spectral_radius: float = 0.0,
    ) -> None:
        self.params = params
        self.beta1, self.beta2, self.epsilon = beta1, beta2, epsilon
        self.weight_decay, self.clip_norm = weight_decay, clip_norm
        self.table_lr_scale, self.max_spectral_radius = table_lr_scale, max_spectral_radius
        self.updates = 0
        self.m: Parameters = {}
        self.v: Parameters = {}
        self.row_updates: dict[str, Rows] = {}
        for name, w in params.items():
            if is_table(name):
                self.v[name] = np.zeros(len(w))
                self.row_updates[name] = np.zeros(len(w), np.int64)
            else:
                self.m[name], self.v[name] = np.zeros_like(w), np.zeros_like(w)

    def step(
        self, grads: Parameters, rate: float, occurred: Mapping[str, Rows] | None = None
    ) -> None:
        """Updates `params` in place. `occurred` has the rows of each n-gram table."""
        self.updates += 1
        norm = global_norm(grads)
        scale = self.clip_norm / norm if 0 < self.clip_norm < norm else 1.0
        for name in self.params:
            if is_table(name):
                rows = (occurred or {})[name]
                self._update_rows(name, rows, grads[name][rows] * scale, rate * self.table_lr_scale)
            else:
                self._update(name, grads[name] * scale, rate)
        if self.max_spectral_radius:
            for name, w in self.params.items():
                if name.endswith(".A"):
                    w *= min(1.0, self.max_spectral_radius / radius_bound(w))

    def _update(self, name: str, g: Array, rate: float) -> None:
        w = self.params[name]
        m = self.m[name] = self.beta1 * self.m[name] + (1 - self.beta1) * g
        v = self.v[name] = self.beta2 * self.v[name] + (1 - self.beta2) * g**2
        m_hat = m / (1 - self.beta1**self.updates)
        v_hat = v / (1 - self.beta2**self.updates)
        if is_decayed(name):
            w *= 1 - rate * self.weight_decay
        w -= rate * m_hat / (np.sqrt(v_hat) + self.epsilon)

    def _update_rows(self, name: str, rows: Rows, g: Array, rate: float) -> None:
        """Each row's bias correction counts its own updates, also those by a gradient of zero."""
        v = self.beta2 * self.v[name][rows] + (1 - self.beta2) * (g**2).mean(axis=1)
        self.v[name][rows] = v
        self.row_updates[name][rows] += 1
        v_hat = v / (1 - self.beta2 ** self.row_updates[name][rows])
        self.params[name][rows] -= rate * g / (np.sqrt(v_hat) + self.epsilon)[:, None]
