"""The parts that PyTorch has no operation for, in two versions: plain, differentiated by autograd,
and as autograd functions with hand-written gradients, which pass over memory less often and put one
node into the graph instead of several per time step. Arrays are (T, B, width)."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional as F

EPSILON = 1e-6  # of the norm
_sigmoid_backward = torch.ops.aten.sigmoid_backward
_silu_backward = torch.ops.aten.silu_backward


def dense_loop(driven: torch.Tensor, A: torch.Tensor) -> torch.Tensor:
    """h_t = driven_t + A h_{t-1}"""
    h = torch.zeros_like(driven[0])
    states = []
    for t in range(len(driven)):
        h = driven[t] + h @ A.T
        states.append(h)
    return torch.stack(states)


class DenseScan(torch.autograd.Function):
    """The same; the gradient of A is one matrix product."""

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


def gated_loop(f: torch.Tensor, z: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
    """a = σ(f), h_t = a_t h_{t-1} + (1 - a_t) z_t, s = h swish(g)"""
    a = torch.sigmoid(f)
    h = torch.zeros_like(a[0])
    states = []
    for a_t, driven_t in zip(a, (1 - a) * z, strict=True):
        h = a_t * h + driven_t
        states.append(h)
    return torch.stack(states) * F.silu(g)


class GatedScan(torch.autograd.Function):
    """The same; a time step is one operation, forward and backward."""

    @staticmethod
    def forward(ctx: Any, f: torch.Tensor, z: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
        a = torch.sigmoid(f)
        h = torch.empty_like(a)  # (T, B, N)
        before = torch.zeros_like(h[0])
        for z_t, a_t, h_t in zip(z.unbind(), a.unbind(), h.unbind(), strict=True):
            torch.lerp(z_t, before, a_t, out=h_t)
            before = h_t
        ctx.save_for_backward(z, g, a, h)
        return F.silu(g).mul_(h)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor, ...]:
        z, g, a, h = ctx.saved_tensors
        dg = _silu_backward(grads[0] * h, g)
        dh = F.silu(g).mul_(grads[0])
        steps = list(zip(dh.unbind(), a.unbind(), strict=True))
        for (dh_t, _), (dh_after, a_after) in zip(steps[-2::-1], steps[:0:-1], strict=True):
            dh_t.addcmul_(dh_after, a_after)
        dz = torch.addcmul(dh, dh, a, value=-1)
        da = z.neg()
        da[1:] += h[:-1]
        return _sigmoid_backward(da.mul_(dh), a), dz, dg


def norm(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    return F.rms_norm(x, w.shape, w, EPSILON)


class Norm(torch.autograd.Function):
    """The same, in half the time."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        size = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
        inverse = size.square_().div_(len(w)).add_(EPSILON).rsqrt_()
        ctx.save_for_backward(x, w, inverse)
        return (x * inverse).mul_(w)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x, w, inverse = ctx.saved_tensors
        unit = x * inverse
        dw = grads[0] * unit
        mean = (dw @ w).div_(len(w)).unsqueeze(-1)
        dx = (grads[0] * w).addcmul_(unit, mean, value=-1).mul_(inverse)
        return dx, dw.flatten(0, -2).sum(0)
