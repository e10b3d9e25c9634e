"""A million bytes from one carried state."""

from __future__ import annotations

import numpy as np
import pytest
import slm

pytestmark = pytest.mark.slow


def test_a_million_bytes() -> None:
    model = slm.Model("seed-small")
    text = slm.sample_text()
    model.train(text, steps=60, validation=None, seed=0)
    # A logit that is not finite would be an error.
    generated = model.generate(b"", 10**6, seed=1)
    assert len(generated) == 10**6

    # Its end is as likely as its beginning to the model that reads it in fresh segments: the state
    # has neither died nor run away. And it is like the text that it was trained on.
    def nats(piece: bytes) -> float:
        score = model.score(piece)
        assert np.isfinite(score.log_probs).all()
        return score.nats_per_byte

    first, last = nats(generated[: 2**16]), nats(generated[-(2**16) :])
    assert abs(first - last) < 0.05
    frequencies = [
        np.bincount(np.frombuffer(data, np.uint8), minlength=256) / len(data)
        for data in (generated[-(2**16) :], bytes(text[: 2**20]))
    ]
    assert np.abs(frequencies[0] - frequencies[1]).sum() < 0.3
