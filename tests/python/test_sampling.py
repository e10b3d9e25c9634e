"""Sampling of the next byte: the kept sets, the frequencies, the seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import slm
from reference import reference
from slm import _core

UNIFORM = dict.fromkeys(range(256), 1 / 256)


def logits_of(probs: Mapping[int, float]) -> Any:
    """Logits of a distribution; the other bytes get a probability that float64 cannot hold."""
    logits = np.full(256, -2000.0, np.float32)
    for byte, p in probs.items():
        logits[byte] = math.log(p)
    return logits


def distribution(
    probs: Mapping[int, float],
    **options: float,
) -> dict[int, float]:
    """`probs` after the sampling options, by byte."""
    result = _core._next_byte_distribution(logits_of(probs), options, b"")
    assert result.shape == (256,) and result.sum() == pytest.approx(1, abs=1e-5)
    return {int(byte): float(result[byte]) for byte in np.flatnonzero(result)}


FALLING = {9: 0.4, 200: 0.3, 7: 0.2, 0: 0.1}
TIES = {250: 0.25, 3: 0.25, 90: 0.25, 17: 0.25}
TIES_BELOW = {80: 0.5, 255: 0.125, 1: 0.125, 30: 0.125, 29: 0.125}

KEPT = [
    (FALLING, {}, {9, 200, 7, 0}),
    (FALLING, {"top_p": 1e-6}, {9}),
    (FALLING, {"top_p": 0.39}, {9}),
    (FALLING, {"top_p": 0.41}, {9, 200}),  # the byte that crosses p is kept
    (FALLING, {"top_p": 0.69}, {9, 200}),
    (FALLING, {"top_p": 0.71}, {9, 200, 7}),
    (FALLING, {"top_p": 0.95}, {9, 200, 7, 0}),
    (TIES, {"top_p": 0.1}, {3}),  # ties: the lower byte
    (TIES, {"top_p": 0.25}, {3}),  # a sum of exactly p is enough
    (TIES, {"top_p": 0.26}, {3, 17}),
    (TIES, {"top_p": 0.5}, {3, 17}),
    (TIES, {"top_p": 0.75}, {3, 17, 90}),
    (TIES, {"top_p": 0.76}, {3, 17, 90, 250}),
    (TIES_BELOW, {"top_p": 0.5}, {80}),
    (TIES_BELOW, {"top_p": 0.6}, {80, 1}),
    (TIES_BELOW, {"top_p": 0.75}, {80, 1, 29}),
    (TIES_BELOW, {"top_p": 0.8}, {80, 1, 29, 30}),
    (UNIFORM, {"top_p": 0.5}, set(range(128))),
    (FALLING, {"top_k": 1}, {9}),
    (FALLING, {"top_k": 3}, {9, 200, 7}),
    (FALLING, {"top_k": 256}, {9, 200, 7, 0}),
    (TIES, {"top_k": 2}, {3, 17}),
    (FALLING, {"min_p": 0.24}, {9, 200, 7, 0}),
    (FALLING, {"min_p": 0.26}, {9, 200, 7}),
    (FALLING, {"min_p": 0.8}, {9}),
    (TIES, {"min_p": 1.0}, {3, 17, 90, 250}),
    # The nucleus is of what top_k leaves, renormalized: {4/7, 3/7} and {4/9, 3/9, 2/9}.
    (FALLING, {"top_k": 2, "top_p": 0.6}, {9, 200}),
    (FALLING, {"top_k": 2, "top_p": 0.55}, {9}),
    (FALLING, {"top_k": 3, "top_p": 0.76}, {9, 200}),
    (FALLING, {"top_p": 0.95, "min_p": 0.6}, {9, 200}),
]


@pytest.mark.parametrize(("probs", "options", "kept"), KEPT)
def test_kept_set(probs: dict[int, float], options: dict[str, Any], kept: set[int]) -> None:
    left = distribution(probs, **options)
    assert set(left) == kept
    mass = sum(probs[byte] for byte in kept)
    for byte, p in left.items():
        assert p == pytest.approx(probs[byte] / mass, rel=1e-5)


def test_temperature_comes_before_the_nucleus() -> None:
    # At temperature 1/2 probabilities are squared: 16, 9, 4, 1 of 30.
    assert distribution(FALLING, temperature=0.5)[9] == pytest.approx(16 / 30, rel=1e-5)
    assert set(distribution(FALLING, temperature=0.5, top_p=0.52)) == {9}
    assert set(distribution(FALLING, temperature=0.5, top_p=0.82)) == {9, 200}
    assert set(distribution(FALLING, temperature=0.5, top_p=0.84)) == {9, 200, 7}


def test_temperature_zero_is_argmax_and_the_lower_byte_on_ties() -> None:
    assert distribution(FALLING, temperature=0.0) == {9: 1.0}
    assert distribution(TIES, temperature=0.0) == {3: 1.0}


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_logits_that_are_not_finite(bad: float) -> None:
    logits = np.zeros(256, np.float32)
    logits[77] = bad
    with pytest.raises(slm.TrainingError, match="77"):
        _core._next_byte_distribution(logits, {}, b"")


@pytest.fixture(scope="module")
def model() -> slm.Model:
    """Small, and with clear preferences, so that a wrong distribution would be seen."""
    model = slm.Model("seed-small", embed_dim=17, state_dim=9, num_layers=2)
    values = reference.random_parameters(17, 9, 2, np.random.default_rng(5))
    model.set_parameters({name: w.astype(np.float32) for name, w in values.items()})
    return model


def chi_square(counts: Any, expected: Any) -> tuple[float, int]:
    """The statistic and its degrees of freedom; bins that expect under 5 are put together."""
    large = expected >= 5
    counts = np.append(counts[large], counts[~large].sum())
    expected = np.append(expected[large], expected[~large].sum())
    return float(((counts - expected) ** 2 / np.maximum(expected, 1e-9)).sum()), len(counts) - 1


@pytest.mark.parametrize(
    "options", [{}, {"temperature": 0.7}, {"top_p": 0.8}, {"top_k": 20, "min_p": 0.1}], ids=str
)
def test_frequencies_are_the_distribution(model: slm.Model, options: dict[str, Any]) -> None:
    draws, prompt = 20_000, b"To be"
    samples = model.generate(prompt, 1, **options, seed=3, num_samples=draws, include_prompt=False)
    text = np.frombuffer(b"\n" + prompt, np.uint8)
    probs = _core._next_byte_distribution(model.logits(text[:, None])[-1, 0], options, b"")
    counts = np.bincount([sample[0] for sample in samples], minlength=256)
    assert counts[probs == 0].sum() == 0
    statistic, freedom = chi_square(counts, draws * probs)
    assert freedom > 5
    assert abs(statistic - freedom) < 4 * math.sqrt(2 * freedom)


def test_frequencies_along_one_text(model: slm.Model) -> None:
    """Every byte occurs as often as the model, asked before each position, says that it will."""
    text = model.generate(b"", 20_000, seed=11)
    read = np.frombuffer(b"\n" + text[:-1], np.uint8)
    probs = np.exp(reference.log_softmax(model.logits(read[:, None])[:, 0].astype(np.float64)))
    counts = np.bincount(np.frombuffer(text, np.uint8), minlength=256)
    deviations = (counts - probs.sum(axis=0)) / np.sqrt((probs * (1 - probs)).sum(axis=0))
    assert np.abs(deviations).max() < 4.5
    assert 0.7 < deviations.std() < 1.3


def test_temperature_zero_is_greedy_and_repeats(model: slm.Model) -> None:
    text = model.generate(b"ROMEO:", 300, temperature=0.0, seed=1, include_prompt=False)
    assert text == model.generate(b"ROMEO:", 300, temperature=0.0, seed=2, include_prompt=False)
    state = model.new_state()
    for token in b"\nROMEO:":
        logits = model.step(np.array([token], np.uint8), state)
    for byte in text:
        assert byte == logits[0].argmax()
        logits = model.step(np.array([byte], np.uint8), state)


def test_seeds(model: slm.Model) -> None:
    text = model.generate(b"A", 200, seed=8)
    assert text == model.generate(b"A", 200, seed=8)
    assert text != model.generate(b"A", 200, seed=9)
    assert model.generate(b"A", 200) != model.generate(b"A", 200), "no seed: random"


@pytest.mark.parametrize("num_samples", [1, 2, 65])
def test_sample_does_not_depend_on_num_samples(model: slm.Model, num_samples: int) -> None:
    samples = model.generate(b"A", 60, seed=8, num_samples=130)
    assert len(set(samples)) == 130
    assert model.generate(b"A", 60, seed=8, num_samples=num_samples) == samples[:num_samples]
    assert model.generate(b"A", 60, seed=8) == samples[0]
    assert model.generate(b"A", 30, seed=8) == samples[0][:31], "nor on max_bytes"
