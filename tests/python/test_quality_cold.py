"""The benchmark of cold starts: what counts as right, and its table."""

from __future__ import annotations

import sys
from typing import Any

from project import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))

from quality import cold
from quality.cold_table import cold_table


def test_samples_that_are_right() -> None:
    cases = {name: make() for name, make in cold.cases().items()}
    right = {
        "dna": b"ACGTTA",
        "symbols": b"abcp\nab",
        "all-work": b"All work and no play makes Jack a dull boy.\nAll",
        "names": b"Ella\nx",
        "names-documents": b"Ella",
        "shakespeare": b"ROMEO:\nAy",
    }
    wrong = {
        "dna": b"ACG\nT",
        "symbols": b"abcq",
        "all-work": b"All work and no play makes Jack a dull toy.\nAll",
        "names": b"ella",
        "names-documents": b"\nElla",
        "shakespeare": b"ROMEO\xff",
    }
    for name, case in cases.items():
        assert case.good(right[name]) and not case.good(wrong[name]), name
        assert case.good(case.text[:100].tobytes()), name
        if case.held_out is not None and name in ("symbols", "names"):
            held_out = case.held_out.tobytes().splitlines()
            assert not {*held_out} & {*case.text.tobytes().splitlines()}


def test_a_case_is_run() -> None:
    text = cold.lines([b"abc", b"abe"] * 300)
    case = cold.Case(
        "tiny", text, "nano", 8, lambda sample: set(sample) <= set(text), held_out=text
    )
    size: dict[str, Any] = {"seq_len": 16, "batch_size": 4}
    record = cold.run(lambda: case, 1, size)
    assert record["case"] == "tiny" and record["overrides"] == size
    assert 0 <= record["good"] <= cold.SAMPLES
    assert record["first_bytes_cold"] > 0 and record["first_bytes_warm"] > 0


def test_the_table_has_a_figure_for_each_seed() -> None:
    def record(seed: int, good: int, **more: Any) -> dict[str, Any]:
        fields = {"case": "dna", "preset": "small", "steps": 1200, "name": "now", "loss": 1.38}
        return {**fields, "seed": seed, "good": good, "overrides": {}, **more}

    records = [record(2, 7), record(1, 5), record(1, 6), record(3, 9, overrides={"steps": 3})]
    (row,) = cold_table(records).splitlines()[2:]
    assert row.split(" | ")[:4] == ["| dna", "`small`, 1,200 steps", "now", "6 · 7"]
