"""The optimizer against the reference; learning on the bundled corpus against pinned figures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import slm
from reference import reference

# Overrides of the options in the test below.
PLANS: dict[str, dict[str, Any]] = {
    "plain": {},
    # AdamW undoes any constant factor of the gradient, unless epsilon is large.
    "clipped": {"clip_norm": 0.3, "learning_rate": 1e-2, "epsilon": 1e-2},
    "warm-up": {"warmup_steps": 12, "learning_rate": 5e-3},
    "cosine": {"schedule": "cosine", "warmup_steps": 5, "clip_norm": 1.0},
    "decay": {"schedule": "cosine", "weight_decay": 3.0},
    "betas": {"beta1": 0.5, "beta2": 0.9, "epsilon": 1e-3},
    "radius": {"max_spectral_radius": 0.2},
}
STEPS = 20


def float64(params: Any) -> reference.Parameters:
    return {name: np.array(values, np.float64) for name, values in params.items()}


@pytest.mark.parametrize("plan", PLANS)
def test_twenty_steps_are_the_reference(plan: str) -> None:
    options = {
        "learning_rate": 1e-3,
        "warmup_steps": 0,
        "schedule": "constant",
        "clip_norm": 0.0,
        "beta1": 0.9,
        "beta2": 0.98,
        # Not smaller: where a gradient is all rounding error, 1e-8 would make a full step of it.
        "epsilon": 1e-5,
        "weight_decay": 0.01,
        "max_spectral_radius": 0.0,
        **PLANS[plan],
    }
    model = slm.Model("seed-small", embed_dim=12, state_dim=10, num_layers=2, seed=3)
    params = float64(model.parameters)
    trainer = slm.Trainer(model, **options, steps=STEPS)
    adamw_options = (
        "beta1",
        "beta2",
        "epsilon",
        "weight_decay",
        "clip_norm",
        "max_spectral_radius",
    )
    optimizer = reference.AdamW(params, **{name: options[name] for name in adamw_options})

    rng = np.random.default_rng(1)
    norms = []
    for step in range(STEPS):
        text = rng.integers(97, 123, (17, 6), dtype=np.uint8)
        loss = trainer.step(text[:-1], text[1:])
        expected_loss, grads = reference.gradients(params, text[:-1], text[1:])
        assert loss == pytest.approx(expected_loss, abs=1e-5), f"step {step}"
        rate = reference.learning_rate(
            step,
            peak=options["learning_rate"],
            warmup_steps=options["warmup_steps"],
            schedule=options["schedule"],
            steps=STEPS,
        )
        assert trainer.learning_rate == pytest.approx(rate, rel=1e-6)
        norms.append(reference.global_norm(grads))
        assert trainer.grad_norm == pytest.approx(norms[-1], rel=1e-5)
        optimizer.step(grads, rate)
    if plan == "radius":
        radii = [abs(np.linalg.eigvals(model.parameters[f"layers.{i}.A"])).max() for i in (0, 1)]
        assert 0.15 < min(radii) <= max(radii) <= 0.2001
    if plan == "clipped":
        assert min(norms) > options["clip_norm"], "the plan does not test clipping"

    errors = {
        name: float(np.abs(values - params[name]).max())
        for name, values in float64(model.parameters).items()
    }
    assert {name: error for name, error in errors.items() if not error <= 1e-5} == {}


def corpus_windows(rng: np.random.Generator, text: Any) -> Any:
    """32 windows of 129 bytes, time-major."""
    starts = rng.integers(0, len(text) - 129, 32)
    return np.stack([text[start : start + 129] for start in starts], axis=1)


# Losses of the float64 reference, from the initial values of seed 0.
FIRST_LOSSES = [
    5.711372, 5.655759, 5.578025, 5.457865, 5.302408, 5.092911, 4.815735, 4.509588, 4.081715,
    3.955060,
]  # fmt: skip


def test_losses_of_the_first_ten_steps() -> None:
    model = slm.Model("seed-small", seed=0)
    trainer = slm.Trainer(model)
    text, rng = np.asarray(slm.sample_text()), np.random.default_rng(0)
    losses = []
    for _ in FIRST_LOSSES:
        window = corpus_windows(rng, text)
        losses.append(trainer.step(window[:-1], window[1:]))
    np.testing.assert_allclose(losses, FIRST_LOSSES, atol=1e-4)


@pytest.mark.slow
def test_learning() -> None:
    model = slm.Model("seed-small", seed=0)
    history = model.train(slm.sample_text(), steps=100, eval_every=100, seed=0)
    assert history.best_loss == pytest.approx(1.963, abs=0.02)
