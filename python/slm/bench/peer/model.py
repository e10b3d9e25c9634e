"""A copy of an slm model, and its training step."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F

from slm.bench.peer import functions
from slm.bench.peer.ngrams import NgramTables
from slm.model import Model
from slm.text import ByteArray


class TorchModel:
    """Matrix products over whole windows; the rest in plain PyTorch or, with `scan`, by functions
    with hand-written gradients. It trains by the model's train config, at a constant learning rate.
    `compiled` has PyTorch compile the layers except for their recurrence, whose time steps it would
    unroll."""

    def __init__(
        self,
        model: Model,
        learning_rate: float,
        *,
        scan: bool,
        threads: int,
        device: str = "cpu",
        compiled: bool = False,
    ) -> None:
        torch.set_num_threads(threads)
        self._config, self._training, self._rate = model.config, model.train_config, learning_rate
        self._dense = functions.DenseScan.apply if scan else functions.dense_loop
        self._gated = functions.GatedScan.apply if scan else functions.gated_loop
        self._norm = functions.Norm.apply if scan else functions.norm
        self._device = device
        if compiled:
            self._dense, self._gated = map(torch.compiler.disable, (self._dense, self._gated))
            self._layer = torch.compile(self._layer)  # type: ignore[method-assign]
        values = model.parameters
        sparse = [name for name, tensor in model._core.tensors.items() if tensor["sparse"]]
        tables = {name: values.pop(name) for name in sparse}
        self.ngrams = NgramTables(self._config, tables, device) if tables else None
        self.parameters = {
            name: torch.nn.Parameter(torch.from_numpy(array.copy()).to(device))
            for name, array in values.items()
        }
        matrices = [p for p in self.parameters.values() if p.dim() == 2]
        vectors = [p for p in self.parameters.values() if p.dim() == 1]
        self._optimizer = torch.optim.AdamW(
            [{"params": matrices}, {"params": vectors, "weight_decay": 0.0}],
            lr=learning_rate,
            betas=(self._training.beta1, self._training.beta2),
            eps=self._training.epsilon,
            weight_decay=self._training.weight_decay,
            fused=True,
        )

    def loss(self, inputs: ByteArray, targets: ByteArray) -> torch.Tensor:
        u = self._embed(inputs)  # (T, B, E)
        for i in range(self._config.num_layers):
            u = self._layer(i, u)
        u = self._drop(self._normed("norm.weight", u))
        head = "embedding.weight" if self._config.tie_embeddings else "head.weight"
        if head == "embedding.weight" or head in self.parameters:
            u = F.linear(u, self.parameters[head], self.parameters.get("head.bias"))
        wanted = self._indices(targets)
        return F.cross_entropy(u.flatten(0, 1), wanted.flatten())

    def step(self, inputs: ByteArray, targets: ByteArray) -> float:
        self._optimizer.zero_grad(set_to_none=True)
        loss = self.loss(inputs, targets)
        loss.backward()
        self._clip()
        self._optimizer.step()
        if self.ngrams:
            how = self._training
            self.ngrams.update(self._rate * how.table_lr_scale, how.beta2, how.epsilon)
        return float(loss.item())

    def _indices(self, tokens: ByteArray) -> torch.Tensor:
        return torch.from_numpy(tokens.astype(np.int64)).to(self._device)

    def _embed(self, inputs: ByteArray) -> torch.Tensor:
        tokens = self._indices(inputs)
        e, rate = F.embedding(tokens, self.parameters["embedding.weight"]), self._training.dropout
        if self.ngrams is None:
            return F.dropout(e, rate) if rate > 0 else e
        self.ngrams.read(inputs, rate)
        names = (name.replace("weight", "projection.weight") for name in self.ngrams.names)
        projections = [self.parameters[name] for name in names if name in self.parameters]
        return self.ngrams.add_to(e, projections)

    def _layer(self, i: int, u: torch.Tensor) -> torch.Tensor:
        layer = f"layers.{i}."
        w = {
            name.removeprefix(layer): value
            for name, value in self.parameters.items()
            if name.startswith(layer)
        }
        v = self._normed(f"{layer}norm.weight", u)
        if i > 0:
            v = self._drop(v)
        if self._config.cell == "gated":
            # One product each: elementwise work on gates that lie side by side took twice as long.
            parts = zip(w["in.weight"].chunk(3), w["in.bias"].chunk(3), strict=True)
            gates = (F.linear(v, weight, bias) for weight, bias in parts)  # (T, B, N) each
            y = F.linear(self._gated(*gates), w["out.weight"])
        else:
            h = self._dense(F.linear(v, w["B"]), w["A"])  # (T, B, N)
            y = F.linear(F.silu(h), w["C"]) + F.linear(v, w["D"])
        if self._config.residual:
            y = y + u
        if self._config.mlp_dim == 0:
            return y
        v = self._normed(f"{layer}mlp.norm.weight", y)
        p, q = F.linear(v, w["mlp.in.weight"]).chunk(2, dim=-1)
        return y + F.linear(F.silu(p) * q, w["mlp.out.weight"])

    def _normed(self, name: str, x: torch.Tensor) -> torch.Tensor:
        return self._norm(x, self.parameters[name]) if name in self.parameters else x

    def _drop(self, v: torch.Tensor) -> torch.Tensor:
        """The same values at all time steps."""
        rate = self._training.locked_dropout
        return v * F.dropout(torch.ones_like(v[0]), rate) if rate > 0 else v

    def _clip(self) -> None:
        if self._training.clip_norm == 0:
            return
        gradients = [p.grad for p in self.parameters.values()]
        if self.ngrams:
            gradients.append(self.ngrams.gradient)
        norms = [torch.linalg.vector_norm(g) for g in gradients]
        norm = torch.linalg.vector_norm(torch.stack(norms)).item()
        if norm > self._training.clip_norm:
            for g in gradients:
                g.mul_(self._training.clip_norm / norm)
