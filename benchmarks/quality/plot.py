"""Loss on the held-out text against seconds of training, one panel a text."""

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
    """Presets as they are, on the CPU of the latest run; others are in the tables alone."""
    figure, panels = plt.subplots(1, len(TITLES), figsize=(10, 4.6), layout="constrained")
    runs = [g for g in groups(records) if not g.overrides]
    latest = max((run for g in runs for run in g.runs), key=lambda run: run["date"], default=None)
    runs = [g for g in runs if latest is not None and g.cpu == latest["cpu"]]
    presets = [name for name in slm.presets() if any(g.preset == name for g in runs)]
    drawn: dict[str, Any] = {}
    for axes, (text, title) in zip(panels, TITLES.items(), strict=True):
        for i, name in enumerate(presets):
            points = [g for g in runs if (g.text, g.preset) == (text, name)]  # by seconds
            drawn[name] = _draw(axes, [g for g in points if g.exact], f"C{i}", "o-")
            if rounded := [g for g in points if not g.exact]:
                drawn[f"{name}, bf16"] = _draw(axes, rounded, f"C{i}", "s:")
        drawn |= _draw_peers(axes, [r for r in records if r["text"] == text])
        axes.set_xscale("log")
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("seconds of training, evaluation included")
        low, high = axes.get_xlim()
        axes.set_xticks([s for s in TICKS if low <= s <= high], minor=False)
        axes.xaxis.set_major_formatter("{x:g}")
        axes.minorticks_off()
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("nats per byte")
    figure.legend(
        drawn.values(), drawn.keys(), loc="outside lower center", ncols=4, frameon=False, fontsize=9
    )
    output.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(output, dpi=110)
    plt.close(figure)


def _draw(axes: Any, points: list[Group], color: str, style: str) -> Any:
    seconds = [g.median("seconds_taken") for g in points]
    losses = [g.median("nats_per_byte") for g in points]
    return axes.plot(seconds, losses, style, color=color, ms=4, lw=1.5)[0]


def _draw_peers(axes: Any, records: list[Record]) -> dict[str, Any]:
    """The better variant of PPMd, and the latest curve of nanoGPT's settings."""
    drawn = {}
    for trained, style in ((True, "--"), (False, ":")):
        ppmd = [r for r in records if r["kind"] == "ppmd" and bool(r["bytes_trained"]) == trained]
        if ppmd:
            best = min(r["nats_per_byte"] for r in ppmd)
            label = f"PPMd, adapting, {'after the training part' if trained else 'no training'}"
            drawn[label] = axes.axhline(best, color="0.5", lw=1, ls=style)
    latest = {r["step"]: Group([r]) for r in records if r["kind"] == "nanogpt"}
    if latest:
        curve = [latest[step] for step in sorted(latest)]
        drawn["nanoGPT's CPU settings"] = _draw(axes, curve, "k", ".-")
    return drawn
