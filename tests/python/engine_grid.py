"""The cases of engine_cases.py: sizes, options, and how those that train do it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from engine_cases import Case
from reference.reference import Options

# Options of slm.Trainer: the learning rate falls and gradients are clipped within TRAINING_STEPS.
PLAN: dict[str, Any] = {"steps": 6, "warmup_steps": 2, "schedule": "cosine", "min_lr_ratio": 0.1}
ADAMW: dict[str, Any] = {
    "beta1": 0.9,
    "beta2": 0.98,
    "epsilon": 1e-5,  # not smaller: see test_training.py
    "weight_decay": 0.5,
    "clip_norm": 0.1,
    "table_lr_scale": 2.0,
}
PEAK_RATE = 2e-3  # not larger: some of the cases then magnify rounding errors

# (T, B, E, N, L): ones, odd sizes, and several rows and columns past every tile of the kernels.
SMALL_SIZES = [
    (1, 1, 1, 1, 1),
    (2, 1, 1, 1, 3),
    (1, 7, 3, 5, 1),
    (3, 5, 7, 17, 3),
    (17, 3, 33, 5, 1),
    (5, 33, 17, 3, 2),
    (33, 1, 16, 32, 3),
    (7, 17, 33, 64, 1),
]
LARGE_SIZES = [
    (1100, 1, 33, 65, 1),
    (67, 17, 70, 33, 3),
    (9, 130, 65, 100, 2),
    (33, 40, 130, 129, 2),
    (128, 9, 64, 96, 1),
]
# Odd sizes. The norm of a single value is all rounding error, so E is not 1.
OPTION_SIZES = [
    (5, 3, 7, 17, 3),
    (17, 3, 33, 5, 1),
    (1, 7, 3, 1, 2),
    (33, 1, 16, 32, 3),
    (3, 33, 18, 3, 2),
    (1100, 1, 33, 65, 1),
    (9, 130, 20, 35, 2),
]
# With tables that hold every n-gram, or are so small that n-grams share their rows.
ALONE: list[dict[str, Any]] = [
    {"cell": "gated"},
    {"residual": True},
    {"norm": "rms"},
    {"mlp_dim": 37},
    {"tie_embeddings": True},
    {"ngram_orders": (2,)},
    {"ngram_orders": (3,), "ngram_buckets": 4},
    {"ngram_orders": (2, 3, 8), "ngram_buckets": 64, "ngram_dim": 5},
    {"match_lengths": (2, 4), "match_span": 9},
    {"match_lengths": (3,), "ngram_dim": 4},
]
PAIRS = [first | second for first, second in itertools.combinations([*ALONE[:5], ALONE[7]], 2)]
TOGETHER: list[dict[str, Any]] = [
    {
        **{"cell": "gated", "residual": True, "norm": "rms", "mlp_dim": 19},
        **{"tie_embeddings": True, "head_bias": True, "ngram_orders": (2, 3, 4, 5)},
        **{"ngram_buckets": 256, "ngram_dim": 9},
    },
    {
        **{"cell": "gated", "residual": True, "norm": "rms", "mlp_dim": 1, "head_bias": True},
        **{"ngram_orders": (3, 8), "ngram_buckets": 16},
        **{"match_lengths": (2, 3, 5)},
    },
    {
        **{"cell": "dense", "residual": True, "norm": "rms", "mlp_dim": 40},
        **{"tie_embeddings": True, "ngram_orders": (2, 3)},
        **{"ngram_buckets": 2, "ngram_dim": 33, "match_lengths": (2,), "match_span": 30},
    },
]
# Batches that are cut into shards of some rows each, and one that cannot be cut.
SHARDED_SIZES = [(21, 12, 18, 20, 2), (300, 32, 9, 11, 1), (21, 13, 18, 20, 2)]
LARGE_OPTION_SIZES = [(67, 17, 70, 33, 3), (33, 40, 130, 129, 2), (128, 9, 64, 96, 1)]


def option_cases() -> Iterator[Case]:
    sizes, states = itertools.cycle(OPTION_SIZES), itertools.cycle([True, False])
    for options in ALONE:
        yield Case(*next(sizes), "random", True, Options(**options))
        yield Case(*next(sizes), "tuned", False, Options(**options))
    for options in PAIRS:
        yield Case(*next(sizes), "random", next(states), Options(**options))
    for size, options in zip(OPTION_SIZES * 2 + LARGE_OPTION_SIZES, itertools.cycle(TOGETHER)):
        yield Case(*size, "random", next(states), Options(**options))
    for size, options in itertools.product(SHARDED_SIZES, TOGETHER[:2]):
        yield Case(*size, "random", next(states), Options(**options))
    for size in OPTION_SIZES:
        yield Case(*size, "random", next(states), Options(residual=True, head_bias=True))


CASES = [
    Case(*size, init, with_state)
    for size in SMALL_SIZES
    for init in ("seed", "tuned", "random")
    for with_state in (False, True)
]
CASES += [
    Case(*size, init, with_state)
    for size in LARGE_SIZES
    for init, with_state in (("seed", False), ("random", True))
]
CASES += option_cases()
TRAINING_CASES = [
    Case(7, 5, 33, 17, 3, "seed", False),
    Case(33, 33, 70, 65, 2, "tuned", False),
    Case(3, 3, 16, 32, 1, "random", True),
    Case(9, 4, 17, 16, 2, "random", False, Options(**ALONE[0])),
    Case(9, 5, 19, 8, 1, "random", True, Options(**ALONE[5])),
    Case(11, 3, 12, 7, 2, "tuned", True, Options(**TOGETHER[0])),
    Case(40, 30, 33, 20, 2, "random", True, Options(**TOGETHER[0])),
    Case(7, 5, 24, 17, 3, "random", False, Options(**TOGETHER[1])),
    Case(21, 12, 18, 20, 2, "random", False, Options(**TOGETHER[0])),
    Case(5, 9, 33, 15, 2, "random", True, Options(**TOGETHER[2])),
]
