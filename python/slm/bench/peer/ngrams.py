"""The tables of n-grams and matches in PyTorch: look-up, gradient and optimizer of the rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from slm.config import Config
from slm.text import ByteArray

Rows = npt.NDArray[np.int64]


def find_rows(inputs: ByteArray, order: int, buckets: int) -> Rows:
    """The rows that docs/model.md defines, of the positions (T, B) whose n-gram lies within the
    window: all but the first order - 1 time steps."""
    positions = max(len(inputs) - order + 1, 0)
    z = np.zeros((positions, inputs.shape[1]), np.uint64)
    for i in range(order):
        z = z << np.uint64(8) | inputs[i : i + positions]
    if order > 2:
        z += np.uint64(order * 0x9E3779B97F4A7C15 % 2**64)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = (z ^ (z >> np.uint64(31))) & np.uint64(buckets - 1)
    return z.astype(np.int64)


def find_matches(inputs: ByteArray, length: int, span: int) -> tuple[Rows, Rows]:
    """The positions, by number, that have a match in the window (T, B), and its rows."""
    T, B = inputs.shape
    keys = np.zeros((max(T - length + 1, 0), B), np.uint64)  # beyond eight bytes, a hash
    for i in range(length):
        keys = keys * np.uint64(0x100 if length <= 8 else 0x9E3779B97F4A7C15)
        keys += inputs[i : i + len(keys)]
    order = np.argsort(keys, axis=0, kind="stable")
    ordered = np.take_along_axis(keys, order, axis=0)
    before = np.full((T, B), -1)
    same = np.where(ordered[1:] == ordered[:-1], order[:-1] + length - 1, -1)
    np.put_along_axis(before, order[1:] + length - 1, same, axis=0)
    t, b = np.nonzero((before - length + 1 >= np.arange(T)[:, None] - span) & (before >= 0))
    s = before[t, b]
    surplus, going_on = np.zeros_like(t), np.ones(len(t), bool)
    for i in range(length, length + 16):
        there = s - i >= np.maximum(t - span, 0)
        going_on &= there & (inputs[np.where(there, t - i, 0), b] == inputs[s - i * there, b])
        surplus += going_on
    kinds = np.searchsorted([1, 2, 4, 8, 16], surplus, side="right")
    return t * B + b, kinds * 256 + inputs[s + 1, b]


class NgramTables:
    """All tables of a model as one. Sparse gradients of PyTorch took eight times as long as one
    gradient for each row that occurs, in the order of `rows`."""

    def __init__(
        self, config: Config, tables: dict[str, npt.NDArray[np.float32]], device: str = "cpu"
    ) -> None:
        self._config, self.names = config, list(tables)
        self.firsts = np.cumsum([0, *(len(table) for table in tables.values())])[:-1]
        self._device = device
        self.weight = torch.from_numpy(np.concatenate([*tables.values()])).to(device)
        self._moments = torch.zeros(len(self.weight), device=device)
        self._updates = torch.zeros(len(self.weight), device=device)
        self._latest = np.zeros(len(self.weight), np.int64)

    def read(self, inputs: ByteArray, dropout: float = 0) -> None:
        """Finds the rows of a window, and drops a fraction of them, each as a whole."""
        found = [*self._find(inputs)]
        parts = [rows + first for (_, rows), first in zip(found, self.firsts, strict=True)]
        rows = np.concatenate(parts)
        # Each row belongs to its latest occurrence: a seventh of the time of a unique() that sorts.
        numbers = np.arange(len(rows))
        self._latest[rows] = numbers
        owner = self._latest[rows]
        is_owner = owner == numbers
        slots = (np.cumsum(is_owner) - 1)[owner]
        cuts = np.cumsum([len(part) for part in parts])[:-1]
        self.rows = self._there(rows[is_owner])
        self.where = [at if isinstance(at, slice) else self._there(at) for at, _ in found]
        self.rows_at = [*map(self._there, parts)]
        self.slots = [*map(self._there, np.split(slots, cuts))]
        self.gradient = self.weight.new_zeros(len(self.rows), self.weight.shape[1])
        self._kept = []
        if dropout > 0:
            self._kept = [
                torch.rand_like(part[:, None], dtype=torch.float32) >= dropout
                for part in self.rows_at
            ]
        self._scale = 1 / (1 - dropout)

    def _find(self, inputs: ByteArray) -> Iterator[tuple[slice | Rows, Rows]]:
        """For every table, the positions that have a row, and the rows."""
        how = self._config
        for order in how.ngram_orders:
            rows = find_rows(inputs, order, how.ngram_buckets).ravel()
            yield slice(inputs.size - len(rows), None), rows
        for length in how.match_lengths:
            yield find_matches(inputs, length, how.match_span)

    def _there(self, numbers: Rows) -> torch.Tensor:
        return torch.from_numpy(numbers).to(self._device)

    def add_to(self, e: torch.Tensor, projections: list[torch.Tensor]) -> torch.Tensor:
        """e (T, B, E), which is overwritten, and the vectors of its n-grams."""
        result: torch.Tensor = _Lookup.apply(e, self, *projections)
        return result

    def drop(self, i: int, vectors: torch.Tensor) -> torch.Tensor:
        """The vectors of table number i, or their gradients, without the dropped ones."""
        return vectors * (self._kept[i] * self._scale) if self._kept else vectors

    def update(self, rate: float, beta2: float, epsilon: float) -> None:
        """One second moment per row, corrected by the row's own count of updates."""
        g, rows = self.gradient, self.rows
        mean = torch.linalg.vector_norm(g, dim=1).square_().div_(g.shape[1])
        v = torch.lerp(mean, self._moments[rows], beta2)
        updates = self._updates[rows] + 1
        self._moments[rows], self._updates[rows] = v, updates
        size = (v / (1 - beta2**updates)).sqrt_().add_(epsilon)
        self.weight.index_add_(0, rows, g * (-rate / size)[:, None])


class _Lookup(torch.autograd.Function):
    """Keeps the gradients of rows sparse, beside the tables."""

    @staticmethod
    def forward(
        ctx: Any, e: torch.Tensor, tables: NgramTables, *projections: torch.Tensor
    ) -> torch.Tensor:
        ctx.mark_dirty(e)
        ctx.tables, ctx.projections = tables, projections
        flat = e.flatten(0, 1)
        for i, (where, rows) in enumerate(zip(tables.where, tables.rows_at, strict=True)):
            found = tables.drop(i, tables.weight.index_select(0, rows))
            flat[where] += found @ projections[i].T if projections else found
        return e

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        tables, flat, d_projections = ctx.tables, grads[0].flatten(0, 1), []
        for i, (rows, slots) in enumerate(zip(tables.rows_at, tables.slots, strict=True)):
            d_found = flat[tables.where[i]]
            if ctx.projections:
                found = tables.drop(i, tables.weight.index_select(0, rows))
                d_projections.append(d_found.T @ found)
                d_found = d_found @ ctx.projections[i]
            tables.gradient.index_add_(0, slots, tables.drop(i, d_found))
        return grads[0], None, *d_projections
