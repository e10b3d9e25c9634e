"""Loss on the held-out text against seconds of training: one panel for each text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import slm

from quality.tables import Group, Record, groups

TICKS = (3, 6, 12, 25, 60, 120, 240, 480, 900, 1800, 3600)
TITLES = {"shakespeare": "tinyshakespeare, last 10 %", "books": "books-valid"}


def plot(records: list[Record], output: Path) -> None:
    """The presets without overrides on the CPU of the latest run; the tables have all runs."""
    figure, panels = plt.subplots(1, len(TITLES), figsize=(10, 5), layout="constrained")
    runs = [g for g in groups(records) if not g.overrides]
    latest = max((run for g in runs for run in g.runs), key=lambda run: run["date"], default=None)
    runs = [g for g in runs if latest is not None and g.cpu == latest["cpu"]]
    colors = {name: f"C{i}" for i, name in enumerate(slm.presets())}
    for axes, (text, title) in zip(panels, TITLES.items(), strict=True):
        for name, color in colors.items():
            points = [g for g in runs if (g.text, g.preset) == (text, name)]  # by seconds
            _draw(axes, [g for g in points if g.exact], name, color, "o-")
            _draw(axes, [g for g in points if not g.exact], f"{name}, bf16", color, "s:")
        here = [r for r in records if r["text"] == text]
        _draw_ppmd(axes, [r for r in here if r["kind"] == "ppmd"])
        _draw_nanogpt(axes, [r for r in here if r["kind"] == "nanogpt"])
        _label(axes, title)
    panels[0].set_ylabel("nats per byte")
    output.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(output, dpi=110)
    plt.close(figure)


def _draw(axes: Any, points: list[Group], label: str, color: str, style: str) -> None:
    seconds = [g.median("seconds_taken") for g in points]
    losses = [g.median("nats_per_byte") for g in points]
    if points:
        axes.plot(seconds, losses, style, label=label, color=color, ms=4, lw=1.5)


def _draw_ppmd(axes: Any, records: list[Record]) -> None:
    """The better variant, with and without the training text before the held-out text."""
    for trained, style in ((True, "--"), (False, ":")):
        losses = [r["nats_per_byte"] for r in records if bool(r["bytes_trained"]) == trained]
        if losses:
            label = "PPMd, trained, adaptive" if trained else "PPMd, untrained, adaptive"
            axes.axhline(min(losses), label=label, color="0.5", lw=1, ls=style)


def _draw_nanogpt(axes: Any, records: list[Record]) -> None:
    """The latest curve. Its first points are far above the rest: the panel shows where it ends."""
    latest = {r["step"]: Group([r]) for r in records}
    curve = [latest[step] for step in sorted(latest)]
    if not curve:
        return
    first, last = (g.median("nats_per_byte") for g in (curve[0], curve[-1]))
    low, high = axes.get_ylim()  # of what is drawn so far
    _draw(axes, curve, f"nanoGPT's CPU settings (from {first:.2f})", "k", ".-")
    axes.set_ylim(low, max(high, last + 0.1 * (last - low)))


def _label(axes: Any, title: str) -> None:
    axes.set_xscale("log")
    axes.set_title(title, fontsize=10)
    axes.set_xlabel("seconds of training, evaluation included")
    low, high = axes.get_xlim()
    axes.set_xticks([s for s in TICKS if low <= s <= high], minor=False)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.minorticks_off()
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(  # below the panel whose lines it names
        loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=2, frameon=False, fontsize=9
    )
