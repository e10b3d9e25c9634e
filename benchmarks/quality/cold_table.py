"""The table of cold starts in docs/quality.md."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from quality.tables import markdown

Record = dict[str, Any]

HEADER = [
    "text",
    "run",
    "slm",
    "right",
    "after `Th`",
    "end by themselves",
    "first bytes: cold, warm",
    "loss",
]


def cold_table(records: Iterable[Record]) -> str:
    """A row for each case and state of slm, with a figure for each seed. Of lines with the same
    seed the latest counts."""
    found: dict[tuple[str, str], dict[int, Record]] = {}
    for r in records:
        if not r["overrides"]:
            found.setdefault((r["case"], r["name"]), {})[r["seed"]] = r
    rows = [row([found[key][seed] for seed in sorted(found[key])]) for key in sorted(found)]
    return markdown(HEADER, rows)


def row(runs: Sequence[Record]) -> list[str]:
    first = runs[0]
    cold, warm = each(runs, "first_bytes_cold", ".3f"), each(runs, "first_bytes_warm", ".3f")
    return [
        *(first["case"], f"`{first['preset']}`, {first['steps']:,} steps", first["name"]),
        *(each(runs, "good"), each(runs, "good_th"), each(runs, "ended")),
        f"{cold}, {warm}" if cold else "",
        each(runs, "loss", ".4f"),
    ]


def each(runs: Sequence[Record], name: str, form: str = "") -> str:
    return " · ".join(format(run[name], form) for run in runs if name in run)
