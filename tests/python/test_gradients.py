"""The engine against the float64 reference, on every instruction set, and for any threads."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import slm
from engine_cases import (
    THREADS,
    TRAINING_STEPS,
    Case,
    flatten,
    occurring_rows,
    relative_error,
    run_worker,
    split,
    supported_isas,
)
from engine_grid import (
    ADAMW,
    ALONE,
    CASES,
    PEAK_RATE,
    PLAN,
    TOGETHER,
    TRAINING_CASES,
)
from reference import reference
from reference.reference import Options

ISAS = supported_isas()
GROUPS = ["core", pytest.param("rest", marks=pytest.mark.slow)]


def marked(cases: list[Case]) -> list[Any]:
    """Parameters of a test; those that are not of the core are slow."""
    return [pytest.param(c, marks=[pytest.mark.slow] * (c.group != "core")) for c in cases]


def state_of(case: Case, params: reference.Parameters, step: int = 0) -> reference.State | None:
    prefix = case.windows(step)[0]
    return reference.forward(params, prefix, None, case.options)[1] if case.with_state else None


@functools.cache
def expected(case: Case) -> tuple[float, reference.Parameters, reference.Array]:
    params = split(run_worker("scalar", case.group)[f"1/{case}/parameters"], case)
    _, inputs, targets = case.windows()
    state = state_of(case, params)
    loss, grads = reference.gradients(params, inputs, targets, state, case.options)
    return loss, grads, reference.forward(params, inputs, state, case.options)[0]


@pytest.mark.parametrize("case", marked(CASES), ids=str)
@pytest.mark.parametrize("isa", ISAS)
def test_engine_is_the_reference(isa: str, case: Case) -> None:
    results = run_worker(isa, case.group)
    loss, grads, logits = expected(case)
    assert results[f"1/{case}/loss"] == pytest.approx(loss, abs=1e-5)
    assert results[f"1/{case}/loss only"] == pytest.approx(loss, abs=1e-5)
    if f"1/{case}/logits" in results:
        assert relative_error(results[f"1/{case}/logits"], logits) <= 1e-5
    engine = split(results[f"1/{case}/gradients"], case)
    errors = {name: relative_error(engine[name], grads[name]) for name in grads}
    assert {name: error for name, error in errors.items() if not error <= 1e-4} == {}
    assert results[f"1/{case}/other rows"] == 0


@functools.cache
def expected_training(case: Case) -> tuple[list[float], reference.Parameters]:
    """The loss of every step and the parameters after the last."""
    params = split(run_worker("scalar", case.group)[f"1/{case}/parameters"], case)
    optimizer = reference.AdamW(params, **ADAMW)
    losses, norms = [], []
    for step in range(TRAINING_STEPS):
        _, inputs, targets = case.windows(step)
        state = state_of(case, params, step)
        loss, grads = reference.gradients(params, inputs, targets, state, case.options)
        losses.append(loss)
        norms.append(reference.global_norm(grads))
        rate = reference.learning_rate(step, peak=PEAK_RATE, **PLAN)
        optimizer.step(grads, rate, occurring_rows(case, step))
    assert max(norms) > ADAMW["clip_norm"], "the case does not test clipping"
    return losses, params


@pytest.mark.parametrize("case", marked(TRAINING_CASES), ids=str)
@pytest.mark.parametrize("isa", ISAS)
def test_training_is_the_reference(isa: str, case: Case) -> None:
    results = run_worker(isa, case.group)
    losses, params = expected_training(case)
    np.testing.assert_allclose(results[f"1/{case}/trained losses"], losses, atol=1e-5)
    engine = split(results[f"1/{case}/trained parameters"], case)
    errors = {name: float(np.abs(engine[name] - w).max()) for name, w in params.items()}
    assert {name: error for name, error in errors.items() if not error <= 1e-5} == {}
    assert results[f"1/{case}/other rows"] == 0


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("isa", ISAS)
def test_threads_do_not_change_a_bit(isa: str, group: str) -> None:
    results = run_worker(isa, group)
    keys = [key.removeprefix("1/") for key in results if key.startswith("1/")]
    assert any(key.endswith("trained parameters") for key in keys)
    differing = [
        f"{key} with {threads} threads"
        for key in keys
        for threads in THREADS
        if results[f"{threads}/{key}"].tobytes() != results[f"1/{key}"].tobytes()
    ]
    assert differing == []


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("isa", ISAS[1:])
def test_vector_kernels_are_the_scalar_ones(isa: str, group: str) -> None:
    results, scalar = run_worker(isa, group), run_worker("scalar", group)
    errors = {
        key: relative_error(results[key], scalar[key].astype(np.float64))
        for key in scalar
        if key.startswith("1/") and "trained" not in key
    }
    assert {key: error for key, error in errors.items() if not error <= 1e-5} == {}
    initial = [key for key in errors if key.endswith("/parameters")]
    assert all(errors[key] == 0 for key in initial), "the initial values depend on the ISA"


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.skipif("avx512" not in ISAS, reason="needs AVX2 and AVX-512")
def test_vector_kernels_agree_bit_for_bit(group: str) -> None:
    avx2, avx512 = run_worker("avx2", group), run_worker("avx512", group)
    differing = [
        key for key in avx2 if key != "isa" and avx2[key].tobytes() != avx512[key].tobytes()
    ]
    assert differing == []


@pytest.mark.parametrize("options", TOGETHER, ids=str)
def test_recomputing_does_not_change_a_bit(options: dict[str, Any]) -> None:
    """Dropout, which has to draw the same values again, included."""
    case = Case(40, 30, 33, 20, 2, "tuned", False, Options(**options))
    trained = []
    for recompute in (False, True):
        model = slm.Model("seed-small", **case.model_options())
        trainer = slm.Trainer(model, dropout=0.3, recompute=recompute)
        losses = [trainer.step(*case.windows(step)[1:]) for step in range(3)]
        trained.append((losses, flatten(model.parameters, case).tobytes()))
    assert trained[0] == trained[1]


INITIAL_OPTIONS = [reference.PLAIN, *(Options(**options) for options in (ALONE[0], *TOGETHER))]


@pytest.mark.parametrize("options", INITIAL_OPTIONS, ids=str)
@pytest.mark.parametrize("init", ["seed", "tuned"])
def test_initial_values(init: str, options: Options) -> None:
    case = Case(1, 1, 130, 129, 2, init, False, options)
    model = slm.Model("seed-small", **case.model_options())
    expected_shapes = reference.shapes(*case.sizes(), options)
    assert {name: w.shape for name, w in model.parameters.items()} == expected_shapes
    seen = []
    for name, values in model.parameters.items():
        fixed = reference.fixed_initial_values(name, values.shape)
        if fixed is not None:
            np.testing.assert_allclose(values, fixed, rtol=1e-6)
            continue
        values = values.astype(np.float64)
        bound = reference.init_bound(name, values.shape, init)
        spread = bound / np.sqrt(3)
        assert 0.99 * bound < np.abs(values).max() <= bound * (1 + 1e-6), name
        assert abs(values.mean()) < 5 * spread / np.sqrt(values.size), name
        assert values.std() == pytest.approx(spread, rel=5 / np.sqrt(values.size)), name
        seen.append(values.reshape(-1)[:100] / bound)
    correlations = np.abs(np.corrcoef(seen) - np.eye(len(seen)))
    assert correlations.max() < 0.5, "two tensors have the same random numbers"
