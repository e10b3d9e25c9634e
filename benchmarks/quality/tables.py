"""The tables of docs/quality.md: medians over the seeds of the runs in results.jsonl."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

Record = dict[str, Any]


@dataclass(frozen=True)
class Budget:
    """A row of the first table: the best run on `text` that took at most `seconds` of training."""

    text: str
    seconds: float | None = None
    dynamic: bool = False
    preset: str | None = None


BUDGETS = [
    *(Budget("shakespeare", seconds) for seconds in (3, 6, 25, 60, 300)),
    *(Budget("books", seconds) for seconds in (60, 100, 180, 480, 3600)),
    Budget("books", 120, dynamic=True),
    Budget("books", 3600, dynamic=True),
    Budget("shakespeare", None, dynamic=True),
    Budget("shakespeare", 60, preset="seed-small"),
]


@dataclass(frozen=True)
class Group:
    """The same run with several seeds on one machine."""

    runs: list[Record]

    def __getattr__(self, name: str) -> Any:
        return self.runs[0][name]

    @property
    def label(self) -> str:
        changed = [f"{name}={value}" for name, value in self.overrides.items()]
        return " ".join([self.preset, *changed, *([] if self.exact else [self.precision])])

    @property
    def exact(self) -> bool:
        return self.precision == "float32"

    def has(self, name: str) -> bool:
        return all(name in run for run in self.runs)

    def median(self, name: str) -> float:
        return float(median(run[name] for run in self.runs))


def groups(records: Iterable[Record]) -> list[Group]:
    """The runs by text, preset and seconds. Of runs with the same seed the latest counts."""
    found: dict[tuple[Any, ...], dict[int, Record]] = {}
    for r in records:
        if r["kind"] == "run" and r["seconds"] is not None:
            overrides = json.dumps(r["overrides"], sort_keys=True)
            r = {"precision": "float32", **r}  # older lines lack the field
            key = (r["text"], r["preset"], overrides, r["precision"], r["seconds"])
            key += (r["cpu"], r["threads"])
            found.setdefault(key, {})[r["seed"]] = r
    return [Group(list(found[key].values())) for key in sorted(found)]


def best_within(budget: Budget, all_groups: Iterable[Group]) -> Group | None:
    """Of the runs that fit the budget, the one with the lowest loss on the part of the training
    text that was kept for validation. The held-out text selects nothing."""
    figure = "adapted" if budget.dynamic else "nats_per_byte"
    fit = [
        g
        for g in all_groups
        if g.text == budget.text
        and (budget.seconds is None or g.median("seconds_taken") <= budget.seconds)
        and (budget.preset is None or g.preset == budget.preset)
        and g.has(figure)
    ]
    return min(fit, key=lambda g: g.median("cut_nats_per_byte"), default=None)


BUDGET_HEADER = ["text", "at most", "nats per byte", "preset", "int8 MB", "seconds (seeds)", "CPU"]


def budget_row(budget: Budget, all_groups: Iterable[Group]) -> list[str]:
    limit = f"{budget.preset} " if budget.preset else ""
    limit += duration(budget.seconds) if budget.seconds else "any time"
    limit += ", dynamic evaluation" if budget.dynamic else ""
    group = best_within(budget, all_groups)
    if group is None:
        return [budget.text, limit, "not run yet", *[""] * (len(BUDGET_HEADER) - 3)]
    loss = group.median("adapted" if budget.dynamic else "nats_per_byte")
    return [
        *(budget.text, limit, f"**{loss:.3f}**", group.label),
        f"{group.median('int8_file_bytes') / 1e6:.1f}",
        f"{group.median('seconds_taken'):.1f} ({len(group.runs)})",
        group.cpu,
    ]


RUN_HEADER = ["text", "preset", "s", "s taken", "loss", "seeds", "dynamic", "int8"]
RUN_HEADER += ["M parameters", "MB", "int8 MB", "MB read", "CPU"]


def run_row(g: Group) -> list[str]:
    losses = [run["nats_per_byte"] for run in g.runs]
    return [
        *(g.text, g.label, f"{g.seconds:g}", f"{g.median('seconds_taken'):.1f}"),
        f"{g.median('nats_per_byte'):.3f}",
        f"{min(losses):.3f} to {max(losses):.3f} ({len(losses)})",
        f"{g.median('adapted'):.3f}" if g.has("adapted") else "",
        f"{g.median('int8_nats_per_byte'):.3f}",
        f"{g.parameters / 1e6:.2f}",
        f"{g.median('float32_file_bytes') / 1e6:.1f}",
        f"{g.median('int8_file_bytes') / 1e6:.1f}",
        f"{g.median('bytes_trained') / 1e6:.1f}",
        g.cpu,
    ]


PEER_HEADER = ["text", "model", "nats per byte", "MB read", "s"]


def peer_rows(records: Iterable[Record]) -> list[list[str]]:
    """PPMd, and the last evaluation of every nanoGPT run; the latest line of each kind counts."""
    found: dict[tuple[Any, ...], list[str]] = {}
    for r in records:
        if r["kind"] == "ppmd":
            what = f"PPMd {r['variant']} of order {r['order']}, {r['memory'] >> 20} MiB, adaptive"
            what += "" if r["bytes_trained"] else ", no training"
        elif r["kind"] == "nanogpt" and r["step"] == r["steps"]:
            what = f"nanoGPT's CPU settings, {r['parameters'] / 1e6:.1f} M parameters"
        else:
            continue
        figures = [f"{r['nats_per_byte']:.3f}", f"{r['bytes_trained'] / 1e6:.1f}"]
        found[r["text"], what] = [r["text"], what, *figures, f"{r['seconds_taken']:.1f}"]
    return [found[key] for key in sorted(found)]


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = (header, ["---"] * len(header), *rows)
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def tables(records: list[Record]) -> str:
    all_groups = groups(records)
    machines = sorted({f"{g.cpu}, {g.isa}, threads: {g.threads}" for g in all_groups})
    parts = [
        "### The best run within a time budget\n",
        "".join(f"- {machine}\n" for machine in machines),
        markdown(BUDGET_HEADER, (budget_row(budget, all_groups) for budget in BUDGETS)),
        "### PPMd and a transformer\n",
        markdown(PEER_HEADER, peer_rows(records)),
        "### Every run\n",
        markdown(RUN_HEADER, map(run_row, all_groups)),
    ]
    return "\n".join(part for part in parts if part)


def duration(seconds: float) -> str:
    return f"{seconds:g} s" if seconds < 120 else f"{round(seconds / 60, 1):g} min"


def write_between_markers(page: Path, name: str, text: str) -> None:
    first, last = (f"<!-- {name}: {which} -->" for which in ("begin", "end"))
    before, begin, rest = page.read_text(encoding="utf-8").partition(first)
    _, end, after = rest.partition(last)
    if not begin or not end:
        raise ValueError(f"{page} must have the lines {first} and {last}")
    page.write_text(f"{before}{first}\n\n{text}\n{last}{after}", encoding="utf-8")
