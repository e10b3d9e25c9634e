"""What a preset writes after a run: a section of docs/samples.md."""

from __future__ import annotations

from quality.runs import Recipe, train
from quality.tables import duration
from quality.texts import Corpus

SAMPLES, BYTES, TEMPERATURE = 5, 400, 0.7


def section(recipe: Recipe, corpus: Corpus) -> str:
    """The first texts of seed 0, none left out."""
    model, record = train(recipe, corpus.train, corpus.choose)
    texts = model.generate(
        "", BYTES, temperature=TEMPERATURE, seed=0, num_samples=SAMPLES, include_prompt=False
    )
    blocks = "\n".join(f"```text\n{display_values(text)}\n```\n" for text in texts)
    how_long = duration(round(record["seconds_taken"]))
    where = f"{record['threads']} threads of {record['cpu']}"
    return f"After {how_long} of {corpus.name} on {where}:\n\n{blocks}"


def display_values(text: str) -> str:
    """Without empty lines at the ends, and what a fence of Markdown would take for its end."""
    return "\n".join(line.rstrip() for line in text.strip("\n").splitlines()).replace("```", "'''")
