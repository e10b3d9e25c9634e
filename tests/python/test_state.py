"""Recurrent state: a text may be cut anywhere, and every state lives on its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import slm
from engine_cases import Case, relative_error
from engine_grid import ALONE, TOGETHER
from models import random_text
from reference import reference
from reference.reference import Options

SIZES = [(1, 1, 1), (33, 17, 3), (70, 65, 2), (128, 128, 2)]  # (E, N, L)
MODELS = [(size, reference.PLAIN) for size in SIZES] + [
    ((33, 17, 3), Options(**options)) for options in ALONE + TOGETHER
]
FEW_MODELS = [MODELS[1], *MODELS[-3:]]


def make_model(
    size: tuple[int, ...] = (33, 17, 3), options: Options = reference.PLAIN
) -> slm.Model:
    """With weights that keep a state alive for long."""
    embed_dim, state_dim, num_layers = size
    case = Case(1, 1, embed_dim, state_dim, num_layers, "random", False, options)
    model = slm.Model("seed-small", **case.model_options())
    values = case.random_parameters()
    model.set_parameters({name: w.astype(np.float32) for name, w in values.items()})
    return model


@pytest.mark.parametrize("batch_size", [1, 3, 17])
@pytest.mark.parametrize(("size", "options"), MODELS, ids=str)
def test_steps_are_the_whole_sequence(
    size: tuple[int, ...], options: Options, batch_size: int
) -> None:
    model = make_model(size, options)
    text = random_text(40, batch_size)
    whole = model.logits(text)
    assert whole.shape == (40, batch_size, 256) and whole.dtype == np.float32
    state = model.new_state(batch_size)
    steps = np.stack([model.step(tokens, state) for tokens in text])
    assert relative_error(steps, whole) <= 1e-5


@pytest.mark.parametrize("cut", [1, 2, 13, 39])
@pytest.mark.parametrize(("size", "options"), MODELS[1:], ids=str)
def test_two_windows_with_carried_state_are_one(
    size: tuple[int, ...], options: Options, cut: int
) -> None:
    model = make_model(size, options)
    text, targets = random_text(40, 3), random_text(41, 3)[1:]
    whole_state, state = model.new_state(3), model.new_state(3)
    whole = model.logits(text, whole_state)
    parts = [model.logits(text[:cut], state), model.logits(text[cut:], state)]
    assert relative_error(np.concatenate(parts), whole) <= 1e-5
    after = random_text(1, 3)[0]
    assert relative_error(model.step(after, state), model.step(after, whole_state)) <= 1e-5

    state = model.new_state(3)
    losses = [
        cut * model.loss(text[:cut], targets[:cut], state),
        (40 - cut) * model.loss(text[cut:], targets[cut:], state),
    ]
    assert sum(losses) / 40 == pytest.approx(model.loss(text, targets), abs=1e-5)


@pytest.mark.parametrize(("size", "options"), FEW_MODELS, ids=str)
def test_gradients_and_training_steps_move_the_state_on(
    size: tuple[int, ...], options: Options
) -> None:
    model = make_model(size, options)
    text, after = random_text(21, 3), random_text(1, 3)[0]
    expected_state = model.new_state(3)
    model.logits(text[:-1], expected_state)
    expected = model.step(after, expected_state.copy())

    state = model.new_state(3)
    model.gradients(text[:-1], text[1:], state)
    assert relative_error(model.step(after, state), expected) <= 1e-5
    state = model.new_state(3)
    slm.Trainer(model, learning_rate=1e-30, warmup_steps=0, weight_decay=0.0).step(
        text[:-1], text[1:], state
    )
    assert relative_error(model.step(after, state), expected) <= 1e-5


@pytest.mark.parametrize(("size", "options"), FEW_MODELS, ids=str)
def test_copy_is_independent(size: tuple[int, ...], options: Options) -> None:
    model = make_model(size, options)
    tokens, other = random_text(2, 3)
    state = model.new_state(3)
    model.step(tokens, state)
    kept = state.copy()
    assert kept.batch_size == 3
    expected = model.step(other, state.copy())
    for _ in range(3):
        model.step(tokens, state)
    np.testing.assert_array_equal(model.step(other, kept), expected)
    assert not np.array_equal(model.step(other, state), expected)


@pytest.mark.parametrize(("size", "options"), [MODELS[2], *MODELS[-3:]], ids=str)
def test_a_text_does_not_depend_on_its_batch(size: tuple[int, ...], options: Options) -> None:
    model = make_model(size, options)
    text = random_text(20, 65)
    batch_state = model.new_state(65)
    together = np.stack([model.step(tokens, batch_state) for tokens in text])
    for column in (0, 7, 64):
        state = model.new_state()
        alone = np.stack([model.step(tokens[column : column + 1], state)[0] for tokens in text])
        np.testing.assert_array_equal(alone, together[:, column])


@pytest.mark.parametrize(("size", "options"), FEW_MODELS, ids=str)
def test_new_state_is_the_start_of_a_window(size: tuple[int, ...], options: Options) -> None:
    model = make_model(size, options)
    text = random_text(9, 2)
    np.testing.assert_array_equal(model.logits(text, model.new_state(2)), model.logits(text))


@pytest.mark.parametrize(
    "other",
    [
        {"mlp_dim": 64, "norm": "rms"},
        {"ngram_orders": (8,)},
        {"ngram_dim": 32},
        {"norm": "rms"},
        {"match_lengths": (3,)},
        {"tie_embeddings": True},
    ],
    ids=str,
)
def test_a_state_of_another_config_is_refused(other: dict[str, Any]) -> None:
    """It crashed the process, or wrote outside its memory: a state has a workspace of its model."""
    size = {"embed_dim": 16, "state_dim": 16, "cell": "gated", "device": "cpu"}
    plain, richer = slm.Model("seed-small", **size), slm.Model("seed-small", **size, **other)
    token = np.array([97], np.uint8)
    for model, stranger in [(plain, richer), (richer, plain)]:
        with pytest.raises(slm.ConfigError, match="state was made by a model of another config"):
            model.step(token, stranger.new_state())
        with pytest.raises(slm.ConfigError, match="state was made by a model of another config"):
            model.loss(token[:, None], token[:, None], stranger.new_state())
