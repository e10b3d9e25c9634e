"""The float64 reference against central differences, and its optimiser against values by hand."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from reference import reference

# (T, B, E, N, L)
SIZES = [(1, 1, 1, 1, 1), (5, 3, 4, 3, 1), (6, 2, 3, 5, 3), (9, 1, 5, 4, 2)]


def make_case(
    size: tuple[int, ...], with_state: bool
) -> tuple[reference.Parameters, reference.Bytes, reference.Bytes, reference.Array | None]:
    seq_len, batch_size, embed_dim, state_dim, num_layers = size
    rng = np.random.default_rng(sum(size))
    params = reference.random_parameters(embed_dim, state_dim, num_layers, rng)
    # Few different bytes, so that rows of the embedding occur more than once.
    inputs = rng.integers(65, 70, (seq_len, batch_size), dtype=np.uint8)
    targets = rng.integers(65, 70, (seq_len, batch_size), dtype=np.uint8)
    state = rng.standard_normal((num_layers, batch_size, state_dim)) if with_state else None
    return params, inputs, targets, state


@pytest.mark.parametrize("with_state", [False, True])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_gradients_are_central_differences(size: tuple[int, ...], with_state: bool) -> None:
    params, inputs, targets, state = make_case(size, with_state)
    loss, grads = reference.gradients(params, inputs, targets, state)
    assert loss == pytest.approx(reference.loss(params, inputs, targets, state), rel=1e-14)

    rng = np.random.default_rng(0)
    h = 1e-5
    for name, values in params.items():
        # All values of small tensors; of large ones forty, among them rows that occur.
        picks = rng.permutation(values.size)[:40]
        if name == "embedding.weight":
            picks = np.arange(65 * values.shape[1], 70 * values.shape[1])
        flat, scale = values.reshape(-1), np.abs(grads[name]).max()
        for k in picks:
            kept = flat[k]
            flat[k] = kept + h
            above = reference.loss(params, inputs, targets, state)
            flat[k] = kept - h
            below = reference.loss(params, inputs, targets, state)
            flat[k] = kept
            difference = (above - below) / (2 * h) - grads[name].reshape(-1)[k]
            assert abs(difference) <= 1e-6 * max(scale, 1e-3), f"{name}[{k}]"


def test_two_windows_with_carried_state_are_one() -> None:
    params, inputs, _, state = make_case((9, 1, 5, 4, 2), True)
    whole, end, _ = reference.forward(params, inputs, state)
    first, middle, _ = reference.forward(params, inputs[:4], state)
    second, end_of_two, _ = reference.forward(params, inputs[4:], middle)
    np.testing.assert_allclose(np.concatenate([first, second]), whole, rtol=1e-13)
    np.testing.assert_allclose(end_of_two, end, rtol=1e-13)


def test_sigmoid_and_log_softmax_do_not_overflow() -> None:
    x = np.array([-1000.0, 0.0, 1000.0])
    np.testing.assert_allclose(reference.sigmoid(x), [0.0, 0.5, 1.0], atol=1e-300)
    np.testing.assert_allclose(reference.log_softmax(x), [-2000.0, -1000.0, 0.0])


def test_first_adamw_update_is_the_sign_of_the_gradient() -> None:
    params = {"w": np.array([2.0, -3.0, 0.5])}
    optimizer = reference.AdamW(params, weight_decay=0.1)
    optimizer.step({"w": np.array([4.0, -5.0, 0.0])}, 0.01)
    np.testing.assert_allclose(params["w"], [2 * 0.999 - 0.01, -3 * 0.999 + 0.01, 0.5 * 0.999])


def test_adamw_second_update_by_hand() -> None:
    params = {"w": np.array([1.0])}
    optimizer = reference.AdamW(params, beta1=0.5, beta2=0.75, epsilon=0.1, weight_decay=0.0)
    optimizer.step({"w": np.array([1.0])}, 0.1)
    optimizer.step({"w": np.array([3.0])}, 0.1)
    first = 1.0 - 0.1 / 1.1
    m_hat = (0.5 * 0.5 + 0.5 * 3) / 0.75
    v_hat = (0.75 * 0.25 + 0.25 * 9) / (1 - 0.75**2)
    np.testing.assert_allclose(params["w"], first - 0.1 * m_hat / (math.sqrt(v_hat) + 0.1))


def test_clipping_scales_all_tensors_by_the_global_norm() -> None:
    # One update with epsilon far above the gradients is linear in them.
    def update(clip_norm: float) -> reference.Parameters:
        params = {"a": np.zeros(1), "b": np.zeros(1)}
        optimizer = reference.AdamW(params, epsilon=1e9, weight_decay=0.0, clip_norm=clip_norm)
        optimizer.step({"a": np.array([3.0]), "b": np.array([4.0])}, 1e9)
        return params

    np.testing.assert_allclose([update(0.0)["a"], update(0.0)["b"]], [[-3.0], [-4.0]], rtol=1e-6)
    np.testing.assert_allclose([update(1.0)["a"], update(1.0)["b"]], [[-0.6], [-0.8]], rtol=1e-6)
    np.testing.assert_allclose([update(9.0)["a"], update(9.0)["b"]], [[-3.0], [-4.0]], rtol=1e-6)


def test_schedule() -> None:
    def rates(schedule: str) -> list[float]:
        return [
            reference.learning_rate(k, peak=2.0, warmup_steps=4, schedule=schedule, steps=12)
            for k in range(12)
        ]

    assert rates("constant") == [0.5, 1.0, 1.5] + [2.0] * 9
    cosine = rates("cosine")
    assert cosine[:4] == [0.5, 1.0, 1.5, 2.0]
    assert cosine[4] == 2.0 and cosine[8] == pytest.approx(1.0)
    assert all(a > b > 0 for a, b in itertools.pairwise(cosine[4:]))
