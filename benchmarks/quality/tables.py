"""The tables of docs/quality.md: medians of the seeds in results.jsonl, beside the aims."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

Record = dict[str, Any]


@dataclass(frozen=True)
class Goal:
    """A loss on the held-out text after at most `seconds` of training."""

    text: str
    seconds: float | None = None
    must: float | None = None
    stretch: float | None = None
    adapting: bool = False
    preset: str | None = None


GOALS = [
    Goal("shakespeare", 3, stretch=1.886),
    Goal("shakespeare", 6, must=1.886),
    Goal("shakespeare", 25, must=1.55),
    Goal("shakespeare", 60, must=1.50),
    Goal("shakespeare", 300, must=1.47),
    Goal("shakespeare", 600, stretch=1.44),
    Goal("books", 60, must=1.30, stretch=1.25),
    Goal("books", 100, must=1.25),
    Goal("books", 180, must=1.22),
    Goal("books", 480, must=1.17, stretch=1.15),
    Goal("books", 3600, must=1.12, stretch=1.08),
    Goal("books", 120, must=1.22, adapting=True),
    Goal("books", 3600, stretch=1.05, adapting=True),
    Goal("shakespeare", None, must=1.404, adapting=True),
    Goal("shakespeare", 60, must=1.70, stretch=1.65, preset="seed-small"),
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
    """In the order of text, preset and seconds. Of two runs with the same seed the later counts."""
    found: dict[tuple[Any, ...], dict[int, Record]] = {}
    for r in records:
        if r["kind"] == "run" and r["seconds"] is not None:
            overrides = json.dumps(r["overrides"], sort_keys=True)
            r = {"precision": "float32", **r}  # not in the lines of the first runs
            key = (r["text"], r["preset"], overrides, r["precision"], r["seconds"])
            key += (r["cpu"], r["threads"])
            found.setdefault(key, {})[r["seed"]] = r
    return [Group(list(found[key].values())) for key in sorted(found)]


def suiting(goal: Goal, all_groups: Iterable[Group]) -> Group | None:
    """The runs for a goal: of those that are short enough, the best on the cut of the training
    part. The held-out text chooses nothing."""
    figure = "adapted" if goal.adapting else "nats_per_byte"
    fit = [
        g
        for g in all_groups
        if g.text == goal.text
        and (goal.seconds is None or g.median("seconds_taken") <= goal.seconds)
        and (goal.preset is None or g.preset == goal.preset)
        and g.has(figure)
    ]
    return min(fit, key=lambda g: g.median("cut_nats_per_byte"), default=None)


GOAL_HEADER = ["text", "training", "must", "stretch", "reached", ""]
GOAL_HEADER += ["preset", "int8 MB", "seconds (seeds)", "CPU"]


def goal_row(goal: Goal, all_groups: Iterable[Group]) -> list[str]:
    how = f"{goal.preset} " if goal.preset else ""
    how += duration(goal.seconds) if goal.seconds else "any time"
    how += ", adapting" if goal.adapting else ""
    aims = [f"{aim:.3f}" if aim else "" for aim in (goal.must, goal.stretch)]
    group = suiting(goal, all_groups)
    if group is None:
        return [goal.text, how, *aims, "not run yet", "", "", "", "", ""]
    reached = group.median("adapted" if goal.adapting else "nats_per_byte")
    return [
        *(goal.text, how, *aims, f"**{reached:.3f}**", verdict(goal, reached), group.label),
        f"{group.median('int8_file_bytes') / 1e6:.1f}",
        f"{group.median('seconds_taken'):.1f} ({len(group.runs)})",
        group.cpu,
    ]


def verdict(goal: Goal, reached: float) -> str:
    if goal.stretch is not None and reached <= goal.stretch:
        return "stretch"
    if goal.must is not None and reached <= goal.must:
        return "must"
    return f"missed by {reached - (goal.must or goal.stretch or 0):.3f}"


RUN_HEADER = ["text", "preset", "s", "s taken", "loss", "seeds", "adapting", "int8"]
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
    """PPMd, and the last evaluation of every nanoGPT run; the latest of each kind."""
    found: dict[tuple[Any, ...], list[str]] = {}
    for r in records:
        if r["kind"] == "ppmd":
            what = f"PPMd {r['variant']} of order {r['order']}, {r['memory'] >> 20} MiB, adapting"
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
        "### Aims and what was reached\n",
        "".join(f"- {machine}\n" for machine in machines),
        markdown(GOAL_HEADER, (goal_row(goal, all_groups) for goal in GOALS)),
        "### Others\n",
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
