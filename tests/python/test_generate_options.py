"""What may be sampled, where a text ends and why, whole characters, and lists of prompts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import slm
from slm import _core

LINES = ["Ärger ums Größte", "naïve café €5", "Emma 😀 Olivia", "all work and no play"]
TEXT = "\n".join(LINES * 40)


@pytest.fixture(scope="module")
def model() -> slm.Model:
    model = slm.Model("seed-small", embed_dim=16, state_dim=16, num_layers=1)
    model.train(TEXT, steps=40, seq_len=32, batch_size=8, warmup_steps=5, validation=None)
    return model


@pytest.fixture(scope="module")
def lines() -> slm.Model:
    """A model of documents, and not trained: logit_bias makes it end."""
    return slm.Model("seed-small", embed_dim=8, state_dim=8, num_layers=1, documents=True)


def reference(
    logits: Any, text: bytes, temperature: float, allowed: Any, penalty: float, bias: Any
) -> Any:
    """docs/sampling.md in NumPy, in float64."""
    adjusted = logits.astype(np.float64)
    repeated = np.isin(np.arange(256), np.frombuffer(text, np.uint8))
    penalized = np.where(adjusted > 0, adjusted / penalty, adjusted * penalty)
    adjusted = np.where(repeated, penalized, adjusted)
    for byte, value in bias.items():
        adjusted[byte] += value
    if allowed is not None:
        adjusted[~np.isin(np.arange(256), np.frombuffer(allowed, np.uint8))] = -np.inf
    weights = np.exp((adjusted - adjusted.max()) / temperature)
    return weights / weights.sum()


def test_any_and_seen_are_no_texts_but_their_bytes_are(model: slm.Model) -> None:
    def sampled(allowed: Any) -> bytes:
        return model.generate(b"", 300, temperature=20, seed=1, allowed=allowed)

    assert sampled("any") == sampled(None) and not set(sampled("any")) <= set(TEXT.encode())
    assert sampled("seen") == model.generate(b"", 300, temperature=20, seed=1)
    for letters in (b"any", b"seen", "yan"):
        assert set(sampled(letters)) == set(letters if isinstance(letters, bytes) else b"any")


@pytest.mark.parametrize("allowed", [None, b"abc \xff", bytes(range(7, 200))])
@pytest.mark.parametrize("penalty", [1.0, 1.3, 0.7])
@pytest.mark.parametrize("bias", [{}, {97: 2.5, 98: -1.5, 99: -np.inf}])
def test_adjusted_logits_are_those_of_the_reference(
    allowed: Any, penalty: float, bias: Any
) -> None:
    logits = np.random.default_rng(3).normal(0, 4, 256).astype(np.float32)
    options = {
        "temperature": 0.8,
        "allowed": allowed,
        "repetition_penalty": penalty,
        "logit_bias": bias,
    }
    text = b"a cab \xff"
    probs = _core._next_byte_distribution(logits, options, text)
    expected = reference(
        logits, text, np.float32(0.8), allowed, np.float64(np.float32(penalty)), bias
    )
    np.testing.assert_allclose(probs, expected, atol=1e-7)
    assert ((probs == 0) == (expected == 0)).all()


def test_only_seen_bytes_by_default(model: slm.Model) -> None:
    seen = set(TEXT.encode())
    assert model.seen_bytes == bytes(sorted(seen))
    hot: dict[str, Any] = {"temperature": 5.0, "seed": 1, "include_prompt": False}
    assert set(model.generate(b"\x01", 500, **hot)) <= seen
    assert model.generate(b"\x01", 500, allowed="seen", **hot) == model.generate(
        b"\x01", 500, **hot
    )
    assert not set(model.generate(b"", 500, allowed=None, **hot)) <= seen
    unknown = slm.Model("seed-small", embed_dim=8, state_dim=8, num_layers=1)
    assert unknown.seen_bytes is None
    assert unknown.generate(b"", 300, seed=1) == unknown.generate(b"", 300, seed=1, allowed=None)


def test_allowed(model: slm.Model) -> None:
    options: dict[str, Any] = {"seed": 2, "include_prompt": False, "temperature": 3.0}
    assert set(model.generate("", 200, allowed="abc", **options)) == set("abc")
    assert set(model.generate(b"", 200, allowed=b"\x00\xff", **options)) == {0, 255}
    assert set(model.generate(b"", 99, allowed="é", **options)) == set("é".encode())
    # Where all that the options leave is allowed anyway, they change nothing.
    assert model.generate("", 99, allowed=bytes(range(256)), **options) == model.generate(
        "", 99, allowed=None, **options
    )


def test_logit_bias_and_repetition_penalty(model: slm.Model) -> None:
    options: dict[str, Any] = {"seed": 2, "include_prompt": False}
    for key in (ord("a"), "a", b"a", np.int64(97)):
        assert model.generate("", 9, logit_bias={key: 1000.0}, **options) == "a" * 9
    free = model.generate("", 300, **options)
    assert "e" in free and "e" not in model.generate(
        "", 300, logit_bias={"e": float("-inf")}, **options
    )
    options = {"temperature": 0, "include_prompt": False, "allowed": "abcdef"}
    varied = model.generate("", 50, repetition_penalty=1.5, **options)
    assert varied != model.generate("", 50, **options)
    assert model.generate("abc", 50, repetition_penalty=1.0, **options) == model.generate(
        "abc", 50, **options
    )


ASCII: dict[str, Any] = {"seed": 4, "allowed": "adeklnorwy "}


def test_finish_reasons(model: slm.Model, lines: slm.Model) -> None:
    free = model.generate("", 200, **ASCII)
    stop = free[20:23]
    sample = model.generate("", 200, stop=["nowhere", stop], details=True, **ASCII)
    assert sample == slm.Sample(free[: free.index(stop)], "stop", stop)
    kept = model.generate("", 200, stop=stop, include_stop=True, details=True, **ASCII)
    assert kept == slm.Sample(free[: free.index(stop)] + stop, "stop", stop)
    (length,) = model.generate(b"ab", 5, num_samples=1, details=True)
    assert length.finish_reason == "length" and length.stop is None
    assert isinstance(length.text, bytes) and len(length.text) == 7
    ends = lines.generate(b"ab", 5, details=True, logit_bias={0xFF: 1000.0})
    assert ends == slm.Sample(b"ab", "end", None)


def test_a_stream_says_why_it_ended(model: slm.Model) -> None:
    free = model.generate("", 200, **ASCII)
    stop = free[20:23]
    for options in ({"stop": stop}, {"stop": stop, "include_stop": True}, {}):
        whole = model.generate("x", 200, details=True, **ASCII, **options)
        stream = model.stream("x", 200, **ASCII, **options)
        assert isinstance(stream, slm.Stream)
        assert stream.finish_reason is None and next(stream) == "x"
        assert "x" + "".join(stream) == whole.text
        assert (stream.finish_reason, stream.stop) == (whole.finish_reason, whole.stop)


def test_ends_of_documents(lines: slm.Model) -> None:
    end: dict[str, Any] = {"logit_bias": {0xFF: 1000.0}, "seed": 1}
    assert lines.generate("abc", 50, **end) == "abc"
    assert len(lines.generate(b"abc", 50, ignore_end=True, **end)) == 53
    banned = lines.generate(b"", 500, seed=1, logit_bias={0xFF: float("-inf")}, details=True)
    assert banned.finish_reason == "length"
    # The end is allowed whatever the alphabet; an escaped byte only as part of it.
    samples = lines.generate(b"", 300, allowed=b"ab", num_samples=30, seed=1, details=True)
    assert {s.finish_reason for s in samples} == {"end"}
    assert set(b"".join(s.text for s in samples)) == set(b"ab")
    escaped = lines.generate(b"\xff", 2000, allowed=b"ab\xff", seed=1, ignore_end=True)
    assert set(escaped) == set(b"ab\xff") and len(escaped) == 2001


@pytest.mark.parametrize("character", ["ж", "€", "😀"])
def test_no_text_ends_within_a_character(character: str) -> None:
    model = slm.Model("seed-small", embed_dim=8, state_dim=8, num_layers=1)
    model.train(character * 3000, steps=100, seq_len=32, learning_rate=0.02, validation=None)
    data = character.encode()
    for max_bytes in range(13):
        expected = character + character * (max_bytes // len(data))
        options: dict[str, Any] = {"temperature": 0}
        assert model.generate(character, max_bytes, **options) == expected
        assert "".join(model.stream(character, max_bytes, **options)) == expected
        exact = data + (data * 12)[:max_bytes]
        assert model.generate(data, max_bytes, **options) == exact
        assert b"".join(model.stream(data, max_bytes, **options)) == exact


def test_a_text_that_is_not_utf8_loses_nothing() -> None:
    """The model's text is latin-1: its letters would be beginnings of characters in UTF-8."""
    model = slm.Model("seed-small", embed_dim=8, state_dim=8, num_layers=1)
    latin = "é é ".encode("latin-1")
    with pytest.warns(UserWarning, match="not UTF-8"):
        model.train(latin * 800, steps=60, seq_len=32, validation=None)
    for max_bytes in range(2, 13):
        text = model.generate("é ", max_bytes, temperature=0, include_prompt=False)
        data = model.generate("é ".encode(), max_bytes, temperature=0, include_prompt=False)
        assert text == data.decode(errors="replace") and len(data) == max_bytes


def test_prompt_lists(model: slm.Model) -> None:
    prompts = ["", "E", "naïve " * 50, "E", "€"]
    options: dict[str, Any] = {"seed": 5, "temperature": 2.0}
    texts = model.generate(prompts, 40, **options)
    assert texts == [model.generate(prompt, 40, **options) for prompt in prompts]
    assert texts[1] == texts[3]
    several = model.generate(tuple(prompts), 40, num_samples=3, **options)
    assert several == [model.generate(p, 40, num_samples=3, **options) for p in prompts]
    data = model.generate([p.encode() for p in prompts], 40, **options)
    assert data == [model.generate(p.encode(), 40, **options) for p in prompts]
    many = model.generate(["ab"] * 70, 20, details=True, **options)
    assert set(many) == {model.generate("ab", 20, details=True, **options)} and len(many) == 70
    assert model.generate([], 40) == []
    assert model.generate(["a"], 0, num_samples=2) == [["a", "a"]]
