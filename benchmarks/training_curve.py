"""Draws the picture of the README: what the default model learns in how many seconds.

    python benchmarks/training_curve.py [--output docs/images/training.png]

Needs matplotlib (pip install '.[plot]'). The figures are this machine's.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import slm

PROMPT = "ROMEO:"
SAMPLE_BYTES = 60


def train() -> tuple[list[slm.Evaluation], list[str]]:
    """The evaluations of one run of the default preset, and a sample at each."""
    model = slm.Model()
    evaluations: list[slm.Evaluation] = []
    samples: list[str] = []

    def after_step(progress: slm.Progress) -> None:
        if progress.evaluation:
            evaluations.append(progress.evaluation)
            samples.append(model.generate(PROMPT, SAMPLE_BYTES, temperature=0.7, seed=1))

    every = model.train_config.steps // 20
    model.train(slm.sample_text(), eval_every=every, callback=after_step)
    return evaluations, samples


def draw(evaluations: list[slm.Evaluation], samples: list[str], output: Path) -> None:
    seconds = [e.seconds for e in evaluations]
    figure, axes = plt.subplots(figsize=(9, 4.2), layout="constrained")
    axes.plot(seconds, [e.train_loss for e in evaluations], color="0.65", label="training")
    axes.plot(seconds, [e.validation_loss for e in evaluations], "o-", ms=3, label="validation")
    # Each text begins or ends above its point, so that no line crosses another's words.
    last = len(evaluations) - 1
    places = [
        (0, (0.1, 0.9), "left"),
        (last // 4, (0.36, 0.66), "left"),
        (last, (1, 0.42), "right"),
    ]
    for i, place, side in places:
        text = samples[i].replace("\n", " ")
        axes.annotate(
            f"{seconds[i]:.0f} s: “{text}…”",
            (seconds[i], evaluations[i].validation_loss),
            xytext=place,
            textcoords="axes fraction",
            ha=side,
            family="serif",
            fontsize=9,
            arrowprops={
                "arrowstyle": "-",
                "color": "0.6",
                "relpos": (0 if side == "left" else 1, 0),
            },
        )
    axes.set_xlabel("seconds of training, evaluation included")
    axes.set_ylabel("nats per byte")
    axes.set_xlim(left=0)
    axes.legend(loc="lower left", frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    output.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(output, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("docs/images/training.png"))
    draw(*train(), parser.parse_args().output)


if __name__ == "__main__":
    main()
