"""All figures of one size, interleaved with the limits of the machine."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from slm import _core
from slm.bench.meters import Bench, Meter, best_of
from slm.bench.sizes import has_sparse_tables, multiplied_weights, without_ngrams
from slm.config import Preset

PEERS = ("torch", "torch_scan")


def measure(
    size: Preset, *, threads: int, rounds: int, peers: bool = False, seconds: float = 0.2
) -> dict[str, Any]:
    """Figures by name. `peers` adds PyTorch's step, in plain PyTorch and with a hand-written scan
    and norm. Each meter gets `seconds` per round. `ngram_share` is the fraction of a step's time
    that the same model without n-grams and matches saves."""
    bench = Bench(size, threads=threads, seconds=seconds)
    weights = multiplied_weights(bench.model)
    meters: dict[str, Meter] = {
        "fma": lambda: _core.measure_fma(threads, seconds / 4),
        "read": lambda: _core.measure_read(threads, 4 * weights, seconds / 4),
        "train": bench.training(),
        "profile": bench.profile(),
        "generate": bench.generation(),
        "prompt": bench.prompt(),
        "score": bench.scoring(),
    }
    if has_sparse_tables(size.config):
        meters["plain"] = Bench(without_ngrams(size), threads=threads, seconds=seconds).training()
    if peers:
        meters |= {name: bench.torch(scan=name == "torch_scan") for name in PEERS}
    best = best_of(rounds, meters)

    train_gflops = 6e-9 * weights * best["train"]
    limits = {"read": best["read"] * 1e9 / (4 * weights), "fma": best["fma"] * 1e9 / (2 * weights)}
    memory = bench.model.memory
    binding = min(limits, key=lambda name: limits[name])
    figures: dict[str, Any] = {
        **asdict(size.config),
        "seq_len": size.train_config.seq_len,
        "batch_size": size.train_config.batch_size,
        "num_parameters": bench.model.num_parameters,
        "multiplied_weights": weights,
        "fma_gflops": best["fma"],
        "read_gbps": best["read"],
        "train_bytes_per_second": best["train"],
        "train_gflops": train_gflops,
        "train_share": train_gflops / best["fma"],
        "train_memory": memory["weights"] + memory["optimizer"] + memory["window"],
        "phases": bench.phases,
        "generate_bytes_per_second": best["generate"],
        "generate_limit": binding,
        "generate_share": best["generate"] / limits[binding],
        "prompt_bytes_per_second": best["prompt"],
        "score_bytes_per_second": best["score"],
    }
    if has_sparse_tables(size.config):
        figures["ngram_share"] = 1 - best["train"] / best["plain"]
    for name in PEERS if peers else ():
        figures[f"{name}_bytes_per_second"] = best[name]
        figures[f"{name}_ratio"] = best["train"] / best[name]
    return figures
