"""A small transformer with nanoGPT's settings for a CPU, in PyTorch: the usual first experiment.

The settings are those of the README of https://github.com/karpathy/nanoGPT: context of 64, 4
layers, 4 heads, width 128, batches of 12, 2000 steps, no dropout; AdamW (0.9, 0.99), weight decay
0.1 on matrices, gradient clipping at 1, 100 warm-up steps, cosine schedule from 1e-3 to 1e-4. The
vocabulary is the set of bytes that occur in the text.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from quality.records import machine
from quality.texts import Corpus

BLOCK, LAYERS, HEADS, WIDTH, BATCH = 64, 4, 4, 128, 12
WARMUP, LEARNING_RATE, MIN_LEARNING_RATE = 100, 1e-3, 1e-4


class Layer(nn.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(WIDTH, bias=False)
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.out = nn.Linear(WIDTH, WIDTH, bias=False)
        self.norm2 = nn.LayerNorm(WIDTH, bias=False)
        self.up = nn.Linear(WIDTH, 4 * WIDTH, bias=False)
        self.down = nn.Linear(4 * WIDTH, WIDTH, bias=False)

    def forward(self, x: Tensor) -> Tensor:  # (B, T, WIDTH)
        q, k, v = self.qkv(self.norm1(x)).chunk(3, dim=-1)
        q, k, v = (y.unflatten(-1, (HEADS, -1)).transpose(1, 2) for y in (q, k, v))
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).flatten(2))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class Transformer(nn.Module):  # type: ignore[misc]
    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, WIDTH)
        self.positions = nn.Embedding(BLOCK, WIDTH)
        self.layers = nn.Sequential(*(Layer() for _ in range(LAYERS)))
        self.norm = nn.LayerNorm(WIDTH, bias=False)
        for name, p in self.named_parameters():
            if p.dim() > 1:
                into_residual = name.endswith(("out.weight", "down.weight"))
                scale = math.sqrt(2 * LAYERS) if into_residual else 1
                nn.init.normal_(p, std=0.02 / scale)

    def forward(self, inputs: Tensor) -> Tensor:
        x = self.tokens(inputs) + self.positions.weight[: inputs.shape[1]]
        return F.linear(self.norm(self.layers(x)), self.tokens.weight)  # weight tying


def encoded(corpus: Corpus) -> tuple[Tensor, Tensor, int]:
    """Training text and held-out text as indices into the bytes that the training text has."""
    known = np.unique(corpus.whole_train)
    strangers = np.setdiff1d(corpus.held_out, known)
    if len(strangers):
        raise ValueError(f"{corpus.name} has bytes that its training part does not: {strangers}")
    parts = [np.searchsorted(known, part) for part in (corpus.whole_train, corpus.held_out)]
    return torch.from_numpy(parts[0]), torch.from_numpy(parts[1]), len(known)


def evaluate(model: nn.Module, text: Tensor, stride: int) -> float:
    """Loss over every byte but the first, each scored once. Windows have the length of a block and
    start `stride` apart; their last `stride` positions are scored. With the stride of a block, as
    in nanoGPT itself, a byte has half a block of context on average; with half of it, every byte
    has at least half a block."""
    total, last = 0.0, len(text) - 1
    starts = torch.arange(0, last, stride)
    whole = starts[(starts + stride >= BLOCK) & (starts + stride <= last)]
    for some in whole.split(64):
        windows = text[some[:, None] + torch.arange(stride - BLOCK, stride + 1)]
        total += _loss(model, windows, stride)
    for start in sorted({*starts.tolist()} - {*whole.tolist()}):  # at the ends of the text
        end = min(start + stride, last)
        total += _loss(model, text[None, max(0, end - BLOCK) : end + 1], end - start)
    return total / last


@torch.no_grad()  # type: ignore[untyped-decorator]
def _loss(model: nn.Module, windows: Tensor, count: int) -> float:
    """Sum over the last `count` positions of each window (rows, T + 1)."""
    logits = model(windows[:, :-1])[:, -count:].flatten(0, 1)
    return float(F.cross_entropy(logits, windows[:, -count:].flatten(), reduction="sum"))


def curve(corpus: Corpus, steps: int, seed: int, every: int) -> Iterator[dict[str, Any]]:
    """A line of results.jsonl for each evaluation. The seconds leave out the evaluations, which is
    to its advantage: those of slm include them."""
    torch.manual_seed(seed)
    here = machine(torch.get_num_threads())
    train, held_out, vocabulary = encoded(corpus)
    model = Transformer(vocabulary)
    matrices = [p for p in model.parameters() if p.dim() > 1]
    norms = [p for p in model.parameters() if p.dim() == 1]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": norms, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.99))
    seconds = 0.0
    for step in range(1, steps + 1):
        started = time.perf_counter()
        starts = torch.randint(len(train) - BLOCK, (BATCH, 1))
        window = train[starts + torch.arange(BLOCK + 1)]
        logits = model(window[:, :-1])
        loss = F.cross_entropy(logits.flatten(0, 1), window[:, 1:].flatten())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step - 1, steps)
        optimizer.step()
        seconds += time.perf_counter() - started
        if step % every == 0 or step == steps:
            yield {
                "kind": "nanogpt",
                "text": corpus.name,
                "step": step,
                "steps": steps,
                "seed": seed,
                "seconds_taken": round(seconds, 3),
                "nats_per_byte": evaluate(model, held_out, BLOCK // 2),
                "own_protocol": evaluate(model, held_out, BLOCK),
                "bytes_trained": step * BATCH * BLOCK,
                "parameters": sum(p.numel() for p in model.parameters()),
                "torch": torch.__version__,
                **here,
            }


def learning_rate(step: int, steps: int) -> float:
    if step < WARMUP:
        return LEARNING_RATE * (step + 1) / (WARMUP + 1)
    part = (step - WARMUP) / max(1, steps - WARMUP)
    return (
        MIN_LEARNING_RATE + (LEARNING_RATE - MIN_LEARNING_RATE) * (1 + math.cos(math.pi * part)) / 2
    )
