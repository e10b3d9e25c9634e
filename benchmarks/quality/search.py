"""Search for recipes: many short runs on the training text, compared by its validation part."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from quality.runs import Recipe, loss, train
from quality.texts import Corpus


def read_trials(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """A JSON object, {"name": {field: value, …}, …}."""
    trials = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(trials, dict) or not all(isinstance(v, dict) for v in trials.values()):
        raise ValueError(
            f"{path} must be a JSON object: for each name, the fields that the trial overrides"
        )
    return list(trials.items())


def search(
    corpus: Corpus, trials: list[tuple[str, dict[str, Any]]], preset: str, **how: Any
) -> Iterator[dict[str, Any]]:
    """Yields lines of search.jsonl. `how`: seconds or steps, seed, threads."""
    recipes = [(name, Recipe(preset, overrides, **how)) for name, overrides in trials]
    # All recipes are built before the first one trains, so a wrong name costs nothing.
    for name, recipe in recipes:
        model, record = train(recipe, corpus.train, corpus.validation)
        yield {
            "name": name,
            "text": corpus.name,
            "loss": loss(model, corpus.validation),
            **{key: value for key, value in record.items() if key not in ("config", "curve")},
        }
