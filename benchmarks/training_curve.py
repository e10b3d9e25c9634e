"""Draws the picture of the README: loss of the default model against seconds of training.

    python benchmarks/training_curve.py [--redraw]

A run is recorded in training_curve.json, from which --redraw draws the picture again. Needs
matplotlib (pip install '.[plot]').
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import slm
from quality.records import machine

RECORD = Path(__file__).with_suffix(".json")
PICTURE = Path(__file__).resolve().parents[1] / "docs" / "images" / "training.png"
EVALUATIONS = 20
PROMPT = "ROMEO:"
SAMPLE = {"max_bytes": 80, "temperature": 0.4, "seed": 5}


def train() -> dict[str, Any]:
    """One run of the default preset, with a sample at each evaluation."""
    record: dict[str, Any] = {**machine(), "prompt": PROMPT, "sample": SAMPLE, "evaluations": []}
    model = slm.Model(device="cpu")

    def after_step(progress: slm.Progress) -> None:
        if e := progress.evaluation:
            record["evaluations"].append(
                {
                    "step": e.step,
                    "seconds": round(e.seconds, 3),
                    "train_loss": e.train_loss,
                    "validation_loss": e.validation_loss,
                    "text": model.generate(PROMPT, include_prompt=False, **SAMPLE),
                }
            )

    every = model.train_config.steps // EVALUATIONS
    model.train(slm.sample_text(), eval_every=every, callback=after_step)
    return record


def draw(record: dict[str, Any], output: Path) -> None:
    evaluations = record["evaluations"]
    seconds = [e["seconds"] for e in evaluations]
    training = [e["train_loss"] for e in evaluations]
    validation = [e["validation_loss"] for e in evaluations]
    figure, axes = plt.subplots(figsize=(9, 4.2), layout="constrained")
    axes.plot(seconds, training, color="0.65")
    axes.plot(seconds, validation, "o-", ms=3)
    place = {"x": 0.75 * seconds[-1], "ha": "right"}
    axes.text(
        y=training[-1] + 0.24, s="training, with dropout and input noise", color="0.5", **place
    )
    axes.text(y=validation[-1] - 0.14, s="validation, without them", color="C0", **place)
    # Texts are staggered so that no line crosses the words of another.
    last = len(evaluations) - 1
    for i, place in ((0, (0.1, 0.9)), (last // 4, (0.34, 0.7)), (last, (0.55, 0.5))):
        axes.annotate(
            f"after {seconds[i]:.0f} s: “{first_line(evaluations[i]['text'])}”",
            (seconds[i], validation[i]),
            xytext=place,
            textcoords="axes fraction",
            family="serif",
            fontsize=10,
            arrowprops={"arrowstyle": "-", "color": "0.6", "relpos": (0 if i < last else 0.9, 0)},
        )
    axes.set_xlabel(
        f"seconds on {record['threads']} threads of {record['cpu']}, float32, evaluation included"
    )
    axes.set_ylabel("nats per byte")
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=validation[-1] - 0.25)
    axes.spines[["top", "right"]].set_visible(False)
    output.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(output, dpi=110)


def first_line(text: str) -> str:
    return text.strip().partition("\n")[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--record", type=Path, default=RECORD)
    parser.add_argument("--output", type=Path, default=PICTURE)
    parser.add_argument("--redraw", action="store_true", help="do not train: draw the record")
    args = parser.parse_args()
    if not args.redraw:
        args.record.write_text(json.dumps(train(), indent=1) + "\n", encoding="utf-8")
    draw(json.loads(args.record.read_text(encoding="utf-8")), args.output)


if __name__ == "__main__":
    main()
