"""One training step of the reference model: slm beside PyTorch's eager mode on the same model.

    python benchmarks/train_step.py [--threads 2] [--rounds 5] [--json]

Both run in this process, in turns, and the best of the rounds counts, so that a noisy machine slows
neither more than the other. Useful operations: 6 per byte and weight that is multiplied.
PyTorch is optional; without it the slm column stands alone.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import slm

try:
    import torch
except ImportError:
    torch = None


@dataclass(frozen=True)
class Size:
    embed_dim: int
    state_dim: int
    num_layers: int
    seq_len: int
    batch_size: int

    def __str__(self) -> str:
        return (
            f"E={self.embed_dim} N={self.state_dim} L={self.num_layers} "
            f"T={self.seq_len} B={self.batch_size}"
        )


SIZES = [Size(128, 128, 2, 128, 32), Size(256, 256, 4, 256, 16), Size(512, 256, 8, 256, 16)]


def cpu_name() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.processor()


def slm_step(size: Size, threads: int, window: np.ndarray) -> Callable[[], object]:
    model = slm.Model(
        "seed-small",
        embed_dim=size.embed_dim,
        state_dim=size.state_dim,
        num_layers=size.num_layers,
        threads=threads,
    )
    trainer = slm.Trainer(model, learning_rate=1e-4)
    return lambda: trainer.step(window[:-1], window[1:])


def torch_step(size: Size, threads: int, window: np.ndarray) -> Callable[[], object]:
    """The equations of docs/architecture.md as one writes them in PyTorch: a loop over time for the
    recurrence, whole-window products for everything else."""
    torch.set_num_threads(threads)
    parameters = {
        name: torch.nn.Parameter(torch.from_numpy(value.copy()))
        for name, value in slm.Model(
            "seed-small",
            embed_dim=size.embed_dim,
            state_dim=size.state_dim,
            num_layers=size.num_layers,
        ).parameters.items()
    }
    optimizer = torch.optim.AdamW(parameters.values(), lr=1e-4, weight_decay=0.01)
    tokens = torch.from_numpy(window.astype(np.int64))

    def step() -> object:
        optimizer.zero_grad(set_to_none=True)
        u = parameters["embedding.weight"][tokens[:-1]]  # (T, B, E)
        for i in range(size.num_layers):
            A, B, C, D = (parameters[f"layers.{i}.{name}"] for name in "ABCD")
            driven = u @ B.T  # (T, B, N)
            h = torch.zeros(size.batch_size, size.state_dim)
            states = []
            for t in range(size.seq_len):
                h = driven[t] + h @ A.T
                states.append(h)
            u = torch.nn.functional.silu(torch.stack(states)) @ C.T + u @ D.T
        loss = torch.nn.functional.cross_entropy(u.reshape(-1, 256), tokens[1:].reshape(-1))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters.values(), 1.0)
        optimizer.step()
        return loss.item()

    return step


def best_seconds(steps: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    best = {name: float("inf") for name in steps}
    for step in steps.values():
        step()  # warm up
    for _ in range(rounds):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            best[name] = min(best[name], time.perf_counter() - start)
    return best


def measure(size: Size, threads: int, rounds: int) -> dict[str, object]:
    rng = np.random.default_rng(0)
    window = rng.integers(0, 256, (size.seq_len + 1, size.batch_size), dtype=np.uint8)
    steps = {"slm": slm_step(size, threads, window)}
    if torch is not None:
        steps["torch"] = torch_step(size, threads, window)
    seconds = best_seconds(steps, rounds)
    E, N, L = size.embed_dim, size.state_dim, size.num_layers
    weights = sum((N + (256 if i == L - 1 else E)) * (N + E) for i in range(L))
    num_bytes = size.seq_len * size.batch_size
    result: dict[str, object] = {"size": str(size)}
    for name, s in seconds.items():
        result[f"{name}_bytes_per_second"] = num_bytes / s
        result[f"{name}_gflops"] = 6e-9 * weights * num_bytes / s
    if "torch" in seconds:
        result["ratio"] = seconds["torch"] / seconds["slm"]
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if not args.json:
        peer = f"PyTorch {torch.__version__}" if torch is not None else "PyTorch not installed"
        print(f"{cpu_name()}, {args.threads} threads, slm {slm.__version__}, {peer}")
    for size in SIZES:
        result = measure(size, args.threads, args.rounds)
        if args.json:
            print(json.dumps(result))
            continue
        line = f"{result['size']:32}"
        for name in ("slm", "torch"):
            if f"{name}_gflops" in result:
                speed = float(str(result[f"{name}_bytes_per_second"])) / 1e3
                line += f"  {name} {speed:8.1f} kB/s {result[f'{name}_gflops']:6.1f} GFLOP/s"
        print(line + (f"  ratio {result['ratio']:.2f}" if "ratio" in result else ""))


if __name__ == "__main__":
    main()
