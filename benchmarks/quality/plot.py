"""Loss on the held-out text against seconds of training, one panel a text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from quality.tables import Group, Record, groups

TITLES = {"shakespeare": "tinyshakespeare, last 10 %", "books": "books-valid"}


def plot(records: list[Record], output: Path) -> None:
    figure, panels = plt.subplots(1, len(TITLES), figsize=(10, 4.4), layout="constrained")
    runs = groups(records)
    for axes, (text, title) in zip(panels, TITLES.items(), strict=True):
        _draw_runs(axes, [g for g in runs if g.text == text])
        _draw_peers(axes, [r for r in records if r["text"] == text])
        axes.set_xscale("log")
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("seconds of training, evaluation included")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.spines[["top", "right"]].set_visible(False)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(frameon=False, fontsize=8)
    panels[0].set_ylabel("nats per byte")
    output.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(output, dpi=110)
    plt.close(figure)


def _draw_runs(axes: Any, runs: list[Group]) -> None:
    lines: dict[str, list[Group]] = {}
    for group in runs:
        lines.setdefault(group.label, []).append(group)
    for label, points in lines.items():
        points.sort(key=lambda g: g.seconds)
        seconds = [g.median("seconds_taken") for g in points]
        axes.plot(seconds, [g.median("nats_per_byte") for g in points], "o-", ms=3, label=label)


def _draw_peers(axes: Any, records: list[Record]) -> None:
    # The latest record of each kind counts, as in the tables.
    for trained, style in ((True, "--"), (False, ":")):
        ppmd = [r for r in records if r["kind"] == "ppmd" and bool(r["bytes_trained"]) == trained]
        if ppmd:
            best = min(r["nats_per_byte"] for r in ppmd)
            label = f"PPMd, adapting, {'after the training part' if trained else 'no training'}"
            axes.axhline(best, color="0.5", lw=1, ls=style, label=label)
    points = {r["step"]: r for r in records if r["kind"] == "nanogpt"}
    if points:
        curve = [points[step] for step in sorted(points)]
        losses = [r["nats_per_byte"] for r in curve]
        label = "nanoGPT's CPU settings"
        axes.plot([r["seconds_taken"] for r in curve], losses, "k.-", lw=1, ms=4, label=label)
