"""Model.generate and Model.stream as Python sees them; test_sampling.py has the distribution."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import slm

TEXT = "Größe und Güte — naïve café, ¿qué?\n" * 60


@pytest.fixture(scope="module")
def model() -> slm.Model:
    """A model that has learned to write characters of two and three bytes."""
    model = slm.Model("seed-small", embed_dim=32, state_dim=32, num_layers=1)
    model.train(TEXT, steps=60, seq_len=64, batch_size=8, warmup_steps=5, validation=None)
    return model


def test_prompt_type_is_the_result_type(model: slm.Model) -> None:
    text = model.generate("Größe", 20, seed=1)
    data = model.generate("Größe".encode(), 20, seed=1)
    assert isinstance(text, str) and text.startswith("Größe")
    assert isinstance(data, bytes) and data.decode(errors="replace") == text
    assert len(data) <= len("Größe".encode()) + 20


def test_include_prompt(model: slm.Model) -> None:
    whole = model.generate(b"Gr", 20, seed=2)
    assert b"Gr" + model.generate(b"Gr", 20, seed=2, include_prompt=False) == whole


@pytest.mark.parametrize("prompt", ["", "G", "é" * 300, b"", b"\xff\xfe\x00", bytes(range(256))])
def test_any_prompt(model: slm.Model, prompt: Any) -> None:
    assert len(model.generate(prompt, 5, seed=1, include_prompt=False)) <= 5
    assert model.generate(prompt, 0) == prompt


@pytest.mark.slow
def test_a_megabyte_of_prompt(model: slm.Model) -> None:
    prompt = TEXT * (10**6 // len(TEXT.encode()) + 1)
    assert model.generate(prompt, 5, seed=1).startswith(prompt)


def test_seeds(model: slm.Model) -> None:
    assert model.generate("", 60, seed=7) == model.generate("", 60, seed=7)
    # Untrained weights draw all bytes about equally: that two samples agree by chance is as good
    # as impossible. The trained model knows its text by heart, and does write it twice.
    untrained = slm.Model("seed-small", embed_dim=8, state_dim=8, num_layers=1)
    assert untrained.generate(b"", 60, seed=7) != untrained.generate(b"", 60, seed=8)
    assert untrained.generate(b"", 60) != untrained.generate(b"", 60)
    greedy = {model.generate("G", 40, temperature=0, seed=seed) for seed in range(3)}
    assert len(greedy) == 1


def test_sample_does_not_depend_on_num_samples(model: slm.Model) -> None:
    four = model.generate("G", 30, num_samples=4, seed=3, temperature=3.0)
    assert model.generate("G", 30, num_samples=2, seed=3, temperature=3.0) == four[:2]
    assert model.generate("G", 30, seed=3, temperature=3.0) == four[0]
    assert len(set(four)) == 4


@pytest.mark.parametrize("stop", ["é", "é".encode(), ["zzz", "é"]])
def test_stop(model: slm.Model, stop: Any) -> None:
    free = model.generate("Gr", 400, seed=4, include_prompt=False)
    assert "é" in free
    stopped = model.generate("Gr", 400, seed=4, include_prompt=False, stop=stop)
    assert stopped == free[: free.index("é")]


@pytest.mark.parametrize("temperature", [0.5, 3.0])
def test_stream_is_generate_in_whole_characters(model: slm.Model, temperature: float) -> None:
    options: dict[str, Any] = {"seed": 5, "temperature": temperature}
    pieces = list(model.stream("Größe", 300, **options))
    assert pieces[0] == "Größe" and len(pieces) > 50
    assert "".join(pieces) == model.generate("Größe", 300, **options)
    data = list(model.stream("Größe".encode(), 300, **options))
    assert b"".join(data) == model.generate("Größe".encode(), 300, **options)
    if temperature < 1:
        assert all(piece.decode() for piece in data)


def test_stream_checks_at_once_and_can_be_left(model: slm.Model) -> None:
    with pytest.raises(slm.ConfigError, match="temperature"):
        model.stream("a", temperature=-1)
    stream = model.stream("a", 10**12, seed=1)
    assert next(stream) == "a" and next(stream)


def test_a_model_that_overflows_says_so() -> None:
    model = slm.Model("seed-small", embed_dim=4, state_dim=4, num_layers=1)
    huge = {n: np.full(w.shape, 3e38, np.float32) for n, w in model.parameters.items()}
    model.set_parameters(huge)
    with pytest.raises(slm.TrainingError, match="finite"):
        model.generate("a", 5)
