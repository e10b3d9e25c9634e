"""The same model and the same step in PyTorch, to measure against. PyTorch is optional."""

from __future__ import annotations

from typing import Any

import numpy as np

from slm.errors import ConfigError
from slm.model import Model
from slm.text import ByteArray

try:
    import torch
except ImportError as error:
    raise ConfigError(
        "a comparison with PyTorch needs PyTorch, which is not installed: pip install torch"
    ) from error


class _Scan(torch.autograd.Function):
    """h_t = driven_t + A h_{t-1} with a backward pass by hand: what it saves is one node of the
    graph per time step, and the gradient of A is one matrix product."""

    @staticmethod
    def forward(ctx: Any, driven: torch.Tensor, A: torch.Tensor) -> torch.Tensor:
        h = torch.empty_like(driven)  # (T, B, N)
        h[0] = driven[0]
        for t in range(1, len(h)):
            torch.addmm(driven[t], h[t - 1], A.T, out=h[t])
        ctx.save_for_backward(h, A)
        return h

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        h, A = ctx.saved_tensors
        dh = torch.empty_like(h)
        dh[-1] = grads[0][-1]
        for t in range(len(h) - 2, -1, -1):
            torch.addmm(grads[0][t], dh[t + 1], A, out=dh[t])
        return dh, dh[1:].flatten(0, 1).T @ h[:-1].flatten(0, 1)


def _loop(driven: torch.Tensor, A: torch.Tensor) -> torch.Tensor:
    """The recurrence as one writes it in PyTorch."""
    h = torch.zeros_like(driven[0])
    states = []
    for t in range(len(driven)):
        h = driven[t] + h @ A.T
        states.append(h)
    return torch.stack(states)


class TorchModel:
    """A copy of an slm model: a loop over time for the recurrence, or `_Scan`, and whole-window
    products for everything else. Training is as the model's own config says, at a constant rate."""

    def __init__(self, model: Model, learning_rate: float, *, scan: bool, threads: int) -> None:
        torch.set_num_threads(threads)
        self._num_layers = model.config.num_layers
        self._recurrence = _Scan.apply if scan else _loop
        self.parameters = {
            name: torch.nn.Parameter(torch.from_numpy(values.copy()))
            for name, values in model.parameters.items()
        }
        training = model.training
        self._clip_norm = training.clip_norm
        self._optimizer = torch.optim.AdamW(
            self.parameters.values(),
            lr=learning_rate,
            betas=(training.beta1, training.beta2),
            eps=training.epsilon,
            weight_decay=training.weight_decay,
        )

    def loss(self, inputs: ByteArray, targets: ByteArray) -> torch.Tensor:
        tokens = torch.from_numpy(inputs.astype(np.int64))
        u = self.parameters["embedding.weight"][tokens]  # (T, B, E)
        for i in range(self._num_layers):
            A, B, C, D = (self.parameters[f"layers.{i}.{name}"] for name in "ABCD")
            h = self._recurrence(u @ B.T, A)  # (T, B, N)
            u = torch.nn.functional.silu(h) @ C.T + u @ D.T
        wanted = torch.from_numpy(targets.astype(np.int64))
        return torch.nn.functional.cross_entropy(u.flatten(0, 1), wanted.flatten())

    def step(self, inputs: ByteArray, targets: ByteArray) -> float:
        self._optimizer.zero_grad(set_to_none=True)
        loss = self.loss(inputs, targets)
        loss.backward()
        if self._clip_norm > 0:
            torch.nn.utils.clip_grad_norm_(self.parameters.values(), self._clip_norm)
        self._optimizer.step()
        return float(loss.item())
