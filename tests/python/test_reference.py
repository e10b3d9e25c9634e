"""The float64 reference against central differences, and its optimizer against values by hand."""

from __future__ import annotations

import itertools
import math
from typing import Any, NamedTuple

import numpy as np
import pytest
from reference import layers, reference
from reference.reference import Options

# (T, B, E, N, L)
SIZES = [(1, 1, 1, 1, 1), (5, 3, 4, 3, 1), (6, 2, 3, 5, 3), (9, 1, 5, 4, 2)]

NGRAMS = [
    {},
    {"ngram_orders": (2, 3, 5), "ngram_buckets": 8},  # so few that n-grams share rows
    {"ngram_orders": (3, 8), "ngram_buckets": 2, "ngram_dim": 2},
    {"match_lengths": (2, 3), "match_span": 6},
    {"ngram_orders": (3,), "ngram_buckets": 2, "match_lengths": (2,), "ngram_dim": 2},
]
CHOICES: list[list[dict[str, Any]]] = [
    [{}, {"cell": "gated"}],
    [{}, {"residual": True}],
    [{}, {"norm": "rms"}],
    [{}, {"mlp_dim": 5}],
    [{}, {"tie_embeddings": True}],
    NGRAMS,
]
GRID = [
    Options(**{name: value for choice in choices for name, value in choice.items()})
    for choices in itertools.product(*CHOICES)
]
EVERYTHING = [GRID[-2], GRID[-1]]


class Example(NamedTuple):
    params: reference.Parameters
    inputs: reference.Bytes
    targets: reference.Bytes
    state: reference.State | None
    options: Options

    def loss(self) -> float:
        return reference.loss(*self)


def make_example(
    size: tuple[int, ...], with_state: bool, options: Options = reference.PLAIN
) -> Example:
    seq_len, batch_size, embed_dim, state_dim, num_layers = size
    rng = np.random.default_rng(sum(size))
    params = reference.random_parameters(embed_dim, state_dim, num_layers, rng, options)
    # Few different bytes, so that rows of the embedding and of n-grams occur more than once.
    inputs = rng.integers(65, 70, (seq_len, batch_size), dtype=np.uint8)
    targets = rng.integers(65, 70, (seq_len, batch_size), dtype=np.uint8)
    state = None
    if with_state:
        hidden = rng.standard_normal((num_layers, batch_size, state_dim))
        state = reference.State(hidden, rng.integers(65, 70, (4, batch_size), dtype=np.uint8))
    return Example(params, inputs, targets, state, options)


def central_difference(example: Example, name: str, direction: reference.Array) -> float:
    """Derivative of the loss in a direction of one parameter, with an error of fourth order."""
    step = 1e-5
    values = example.params[name]
    kept = values.copy()

    def loss_at(distance: float) -> float:
        values[...] = kept + distance * direction
        return example.loss()

    near = loss_at(step) - loss_at(-step)
    far = loss_at(2 * step) - loss_at(-2 * step)
    values[...] = kept
    return (8 * near - far) / (12 * step)


def occurring_picks(name: str, grad: reference.Array) -> Any:
    """Values to check one by one: all of small tensors; of large ones forty, most of them of rows
    that occur."""
    rng = np.random.default_rng(0)
    if name == "embedding.weight" or reference.is_table(name):
        flat = np.flatnonzero(grad)
        return np.concatenate([rng.permutation(flat)[:30], rng.permutation(grad.size)[:10]])
    return rng.permutation(grad.size)[:40]


@pytest.mark.parametrize("with_state", [False, True])
@pytest.mark.parametrize(
    ("size", "options"),
    [(size, reference.PLAIN) for size in SIZES]
    + [((6, 2, 3, 5, 2), options) for options in EVERYTHING],
    ids=str,
)
def test_gradients_are_central_differences(
    size: tuple[int, ...], options: Options, with_state: bool
) -> None:
    example = make_example(size, with_state, options)
    loss, grads = reference.gradients(*example)
    assert loss == pytest.approx(example.loss(), rel=1e-14)
    assert grads.keys() == example.params.keys()
    for name, grad in grads.items():
        scale = float(np.abs(grad).max())
        for pick in occurring_picks(name, grad):
            direction = np.zeros(grad.shape)
            direction.flat[pick] = 1.0
            difference = central_difference(example, name, direction) - grad.flat[pick]
            assert abs(difference) <= 1e-6 * max(scale, 1e-3), f"{name}[{pick}]"


@pytest.mark.parametrize("options", GRID, ids=str)
def test_gradients_are_central_differences_for_all_options(options: Options) -> None:
    """In one random direction of each tensor, in which an error anywhere shows."""
    example = make_example((5, 2, 3, 2, 2), True, options)
    loss, grads = reference.gradients(*example)
    assert loss == pytest.approx(example.loss(), rel=1e-14)
    assert grads.keys() == example.params.keys()
    rng = np.random.default_rng(1)
    for name, grad in grads.items():
        direction = rng.standard_normal(grad.shape)
        difference = central_difference(example, name, direction) - (grad * direction).sum()
        assert abs(difference) <= 1e-6 * max(float(np.linalg.norm(grad)), 1e-3), name


@pytest.mark.parametrize("options", [reference.PLAIN, *EVERYTHING], ids=str)
@pytest.mark.parametrize("with_state", [False, True])
def test_two_windows_with_carried_state_are_one(with_state: bool, options: Options) -> None:
    params, inputs, _, state, _ = make_example((9, 2, 5, 4, 2), with_state, options)
    whole, end = reference.forward(params, inputs, state, options)
    for cut in (1, 4, 8):
        first, middle = reference.forward(params, inputs[:cut], state, options)
        second, end_of_two = reference.forward(params, inputs[cut:], middle, options)
        np.testing.assert_allclose(np.concatenate([first, second]), whole, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(end_of_two.hidden, end.hidden, rtol=1e-12, atol=1e-14)
        np.testing.assert_array_equal(end_of_two.read, end.read)


def test_gated_cell_by_hand() -> None:
    """With width one and W_in = 0, gates and input are the bias, whatever the text."""
    params = {
        "embedding.weight": np.zeros((256, 1)),
        "layers.0.in.weight": np.zeros((3, 1)),
        "layers.0.in.bias": np.array([math.log(3), 2.0, 1.0]),  # a = 3/4
        "layers.0.out.weight": np.array([[5.0]]),
        "head.weight": np.ones((256, 1)),
    }
    logits, state = reference.forward(
        params, np.zeros((2, 1), np.uint8), options=Options(cell="gated")
    )
    swish = 1 / (1 + math.exp(-1))
    np.testing.assert_allclose(state.hidden, [[[0.75 * 0.5 + 0.5]]])
    np.testing.assert_allclose(logits[:, 0, 7], [0.5 * swish * 5, 0.875 * swish * 5])


def test_norm_and_mlp_by_hand() -> None:
    norm = layers.norm_forward(np.array([3.0, -4.0]), np.array([1.0, 2.0]))
    np.testing.assert_allclose(norm, np.array([3.0, -8.0]) / math.sqrt(12.5 + 1e-6))
    p = {"mlp.in.weight": np.array([[1.0], [3.0]]), "mlp.out.weight": np.array([[0.5]])}
    np.testing.assert_allclose(
        layers.mlp_forward(p, np.array([[[2.0]]])), [[[2 / (1 + math.exp(-2)) * 6 * 0.5]]]
    )


# Part of the file format: an n-gram, its row among 65,536 and among 16,384.
NGRAM_ROWS = [
    (b"th", 29800, 29800),
    (b"the", 31309, 14925),
    (b"\x00\x00\x00", 17743, 1359),
    (b"\n\n\n", 41417, 8649),
    (b" the", 35115, 2347),
    (b"ing ", 52359, 3207),
    (b"abcde", 34994, 2226),
    (b"tion o", 5133, 5133),
    (b"ve the ", 54869, 5717),
    (b"question", 49954, 802),
    (b"\xff\xff\xff\xff\xff\xff\xff\xff", 32868, 100),
]


@pytest.mark.parametrize(("ngram", "of_65536", "of_16384"), NGRAM_ROWS)
def test_rows_of_ngrams(ngram: bytes, of_65536: int, of_16384: int) -> None:
    assert reference.ngram_row(ngram, 65536) == of_65536
    assert reference.ngram_row(ngram, 16384) == of_16384


def test_ngrams_reach_into_what_was_read_and_no_further() -> None:
    options = Options(ngram_orders=(2, 4), ngram_buckets=512)
    text = np.frombuffer(b"abcdefg", np.uint8)[:, None]
    whole = reference.ngram_rows(text, text[:0], options)
    assert whole["ngram.2.weight"][:, 0].tolist() == [-1] + [
        256 * first + second for first, second in itertools.pairwise(b"abcdefg")
    ]
    assert whole["ngram.4.weight"][:, 0].tolist() == [-1] * 3 + [
        reference.ngram_row(ngram, 512) for ngram in (b"abcd", b"bcde", b"cdef", b"defg")
    ]
    for cut in range(1, 7):
        rest = reference.ngram_rows(text[cut:], text[:cut], options)
        for name, rows in rest.items():
            assert rows.tolist() == whole[name][cut:].tolist()


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


def test_decay_is_for_matrices() -> None:
    names = ["layers.0.A", "layers.0.in.weight", "embedding.weight", "ngram.3.projection.weight"]
    others = ["norm.weight", "layers.0.mlp.norm.weight", "layers.0.in.bias", "ngram.3.weight"]
    params = {name: np.ones((2, 2)) for name in names + others}
    optimizer = reference.AdamW(params, weight_decay=0.5)
    grads = {name: np.zeros((2, 2)) for name in params}
    optimizer.step(grads, 0.1, {"ngram.3.weight": np.array([0])})
    assert {name for name, w in params.items() if (w == 0.95).all()} == set(names)
    assert {name for name, w in params.items() if (w == 1.0).all()} == set(others)


def test_rows_of_ngrams_are_updated_by_their_own_count() -> None:
    name = "ngram.3.weight"
    params = {name: np.ones((4, 2))}
    optimizer = reference.AdamW(
        params, beta2=0.75, epsilon=0.1, weight_decay=0.5, table_lr_scale=2.0
    )
    first, second = np.zeros((4, 2)), np.zeros((4, 2))
    first[0], second[0], second[1] = [3.0, 1.0], [2.0, 4.0], [2.0, 4.0]
    optimizer.step({name: first}, 0.1, {name: np.array([0, 2])})
    optimizer.step({name: second}, 0.1, {name: np.array([0, 1, 2])})
    before = 1 - 0.2 * np.array([3.0, 1.0]) / (math.sqrt(5.0) + 0.1)
    v_hat = (0.75 * 0.25 * 5 + 0.25 * 10) / (1 - 0.75**2)
    step = np.array([2.0, 4.0])
    np.testing.assert_allclose(params[name][0], before - 0.2 * step / (math.sqrt(v_hat) + 0.1))
    # The second row's first update, at the second step, is corrected as a first one.
    np.testing.assert_allclose(params[name][1], 1 - 0.2 * step / (math.sqrt(10.0) + 0.1))
    np.testing.assert_array_equal(params[name][2:], 1.0)
    # A gradient of zero is an update, too: the third row's next one counts as its third.
    assert optimizer.row_updates[name].tolist() == [2, 1, 2, 0]


def test_clipping_scales_all_tensors_by_the_global_norm() -> None:
    # One update with epsilon far above the gradients is linear in them.
    def update(clip_norm: float) -> reference.Parameters:
        params = {"a": np.zeros(1), "b": np.zeros(1), "ngram.2.weight": np.zeros((2, 1))}
        optimizer = reference.AdamW(
            params, epsilon=1e9, weight_decay=0.0, clip_norm=clip_norm, table_lr_scale=1.0
        )
        grads = {"a": [3.0], "b": [4.0], "ngram.2.weight": [[0.0], [12.0]]}
        optimizer.step(
            {name: np.array(g) for name, g in grads.items()},
            1e9,
            {"ngram.2.weight": np.array([1])},
        )
        return params

    for clip_norm, scale in ((0.0, 1.0), (1.0, 1 / 13), (99.0, 1.0)):
        params = update(clip_norm)
        np.testing.assert_allclose(params["a"], [-3 * scale], rtol=1e-6)
        np.testing.assert_allclose(params["b"], [-4 * scale], rtol=1e-6)
        np.testing.assert_allclose(params["ngram.2.weight"], [[0.0], [-12 * scale]], rtol=1e-6)


def test_schedule() -> None:
    def rates(schedule: str, min_lr_ratio: float = 0.0) -> list[float]:
        plan: dict[str, Any] = {"peak": 2.0, "warmup_steps": 4, "steps": 12}
        plan |= {"schedule": schedule, "min_lr_ratio": min_lr_ratio}
        return [reference.learning_rate(k, **plan) for k in range(12)]

    assert rates("constant") == [0.5, 1.0, 1.5] + [2.0] * 9
    cosine = rates("cosine")
    assert cosine[:4] == [0.5, 1.0, 1.5, 2.0]
    assert cosine[4] == 2.0 and cosine[8] == pytest.approx(1.0)
    assert all(a > b > 0 for a, b in itertools.pairwise(cosine[4:]))
    assert rates("constant", 0.5) == rates("constant")
    lifted = [0.5 + 0.75 * rate for rate in cosine[4:]]
    assert rates("cosine", 0.25) == pytest.approx(cosine[:4] + lifted)
