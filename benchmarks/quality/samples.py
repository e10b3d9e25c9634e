"""Samples of what a preset writes after a run: a section of docs/samples.md."""

from __future__ import annotations

from quality.runs import Recipe, train
from quality.tables import duration
from quality.texts import Corpus

SAMPLES, BYTES, TEMPERATURE = 5, 400, 0.7


def section(recipe: Recipe, corpus: Corpus) -> str:
    """The first samples of seed 0, without selection."""
    model, record = train(recipe, corpus.train, corpus.validation)
    texts = model.generate(
        "", BYTES, temperature=TEMPERATURE, seed=0, num_samples=SAMPLES, include_prompt=False
    )
    blocks = "\n".join(f"```text\n{printable(text)}\n```\n" for text in texts)
    how_long = duration(round(record["seconds_taken"]))
    where = f"{record['threads']} threads of {record['cpu']}"
    return f"After {how_long} of {corpus.name} on {where}:\n\n{blocks}"


def printable(text: str) -> str:
    """Without empty lines at the ends and without anything that would end a Markdown fence."""
    return "\n".join(line.rstrip() for line in text.strip("\n").splitlines()).replace("```", "'''")
