"""The Python API: what it takes and gives."""

from __future__ import annotations

import dataclasses
import gc
import inspect
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slm
from models import ALL_OPTIONS, SIZE, TINY
from slm import _core
from slm.config import ConfigFields, TrainFields
from slm.generate import SampleFields, SampleOptions

TEXT = b"the quick brown fox jumps over the lazy dog\n" * 100


def windows(text: bytes = TEXT, seq_len: int = 16, batch_size: int = 4) -> tuple[Any, Any]:
    rows = np.frombuffer(text, np.uint8)[: (seq_len + 1) * batch_size].reshape(batch_size, -1).T
    return rows[:-1], rows[1:]


def test_presets() -> None:
    presets = slm.presets()
    assert slm.default_preset in presets and {"seed", "seed-small"} <= set(presets)
    model = slm.Model(**SIZE)
    assert model.train_config == presets[slm.default_preset].train_config
    assert dataclasses.asdict(model.config).items() >= SIZE.items()
    assert slm.Model(presets["seed-small"], **SIZE).config == slm.Model(**TINY).config
    with pytest.raises(dataclasses.FrozenInstanceError):
        model.config.embed_dim = 3  # type: ignore[misc]


def test_presets_for_a_short_text() -> None:
    config = slm.presets(1000)["base"].config
    assert config.ngram_buckets == 1024
    assert dataclasses.replace(config, ngram_buckets=65536) == slm.presets()["base"].config


@pytest.mark.parametrize(("preset", "megabytes"), [("nano", 4), ("small", 40)])
def test_files_of_presets_are_small(preset: str, megabytes: int, tmp_path: Path) -> None:
    """With every row in use that a text can use: all hashed ones, and pairs of bytes that occur."""
    model = slm.Model(preset)
    full = {
        name: np.full(values.shape, 0.5, np.float32)
        for name, values in model.parameters.items()
        if name.startswith("ngram.")
    }
    text = np.asarray(slm.sample_text(), np.int64)
    occur = np.zeros(65536, bool)
    occur[256 * text[:-1] + text[1:]] = True
    full["ngram.2.weight"][~occur] = 0
    model.set_parameters(full)
    sizes = {}
    for dtype in ("float32", "int8"):
        path = tmp_path / f"{dtype}.safetensors"
        model.save(path, dtype)
        sizes[dtype] = path.stat().st_size
    assert sizes["float32"] <= megabytes * 1e6
    assert sizes["int8"] <= 0.29 * sizes["float32"]  # a quarter, and a scale for each row


def test_seed_has_the_size_of_the_reference_system() -> None:
    assert slm.Model("seed").num_parameters == 4_653_056


FIELDS = (
    (slm.Config, ConfigFields, _core.config_fields()),
    (slm.TrainConfig, TrainFields, _core.train_config_fields()),
    (SampleOptions, SampleFields, _core.sample_option_fields()),
)


@pytest.mark.parametrize(("config", "keywords", "library"), FIELDS)
def test_fields_are_those_of_the_library(config: Any, keywords: Any, library: Any) -> None:
    """The two lists in Python, of which one is for type checkers, and the one in C++."""
    names = [field.name for field in dataclasses.fields(config)]
    assert sorted(names) == sorted(keywords.__annotations__) == sorted(library)
    for field in dataclasses.fields(config):
        kind = keywords.__annotations__[field.name].__forward_arg__
        if "Sequence" not in kind and "Literal" not in kind and config is not SampleOptions:
            assert kind == f"{field.type} | None", field.name


def test_defaults_are_those_of_the_reference_preset() -> None:
    assert slm.presets()["seed-small"] == slm.Preset(slm.Config(), slm.TrainConfig())


@pytest.mark.parametrize(
    ("function", "config", "without"),
    [
        (slm.Model, slm.Config, set()),
        (slm.Model.train, slm.TrainConfig, set()),
        (
            slm.Trainer,
            slm.TrainConfig,
            {"seq_len", "batch_size", "sampling", "cold_fraction", "seed"},
        ),
        (slm.Model.generate, SampleOptions, set()),
        (slm.Model.stream, SampleOptions, set()),
    ],
)
def test_every_field_is_a_documented_keyword(function: Any, config: Any, without: set[str]) -> None:
    doc = " ".join((function.__doc__ or "").split())
    for field in dataclasses.fields(config):
        assert (field.name in inspect.signature(function).parameters) == (field.name not in without)
        assert (f"{field.name}: {field.metadata['help']}" in doc) == (field.name not in without)
    assert "{fields}" not in doc


def test_unknown_keywords_name_the_nearest_field() -> None:
    model = slm.Model(**TINY)
    for call, keyword, nearest in (
        (slm.Model, "embed_dims", "embed_dim"),
        (slm.Model, "devices", "device"),
        (lambda **options: model.train(TEXT, **options), "learningrate", "learning_rate"),
        (lambda **options: slm.Trainer(model, **options), "epsilom", "epsilon"),
        (lambda **options: model.generate("", **options), "temprature", "temperature"),
        (lambda **options: model.stream("", **options), "top-k", "top_k"),
    ):
        with pytest.raises(TypeError, match=f"{keyword}.*{nearest}"):
            call(**{keyword: 1})
    with pytest.raises(TypeError, match=r"Model\(\).*xyzzy"):
        slm.Model(xyzzy=1)  # type: ignore[call-arg]


def test_a_head_that_is_overridden_takes_its_bias_with_it() -> None:
    no_head: dict[str, Any] = {"cell": "dense", "norm": "none", "residual": False}
    assert slm.presets()["nano"].config.head_bias
    model = slm.Model("nano", **no_head, embed_dim=8, state_dim=8)
    assert not model.config.head_bias
    assert "head.bias" not in model.parameters
    assert slm.Model("nano", cell="dense").config.head_bias  # its norm still gives it a head
    with pytest.raises(slm.ConfigError, match=r"head_bias is true.* has no head .*--no-head-bias"):
        slm.Model("nano", **no_head, head_bias=True)
    wrong = slm.Preset(slm.Config(head_bias=True), slm.TrainConfig())
    with pytest.raises(slm.ConfigError, match=r"head_bias is true.*\(head_bias=False"):
        slm.Model(wrong, embed_dim=8)


def test_numbers_keep_the_decimals_they_were_written_with() -> None:
    training = slm.presets()["seed-small"].train_config
    assert (training.learning_rate, training.beta2) == (0.01, 0.999)


def test_parameters_are_read_only_copies() -> None:
    model = slm.Model(**TINY)
    parameters = model.parameters
    assert {name: w.shape for name, w in parameters.items()} == {
        "embedding.weight": (256, 12),
        "layers.0.A": (10, 10),
        "layers.0.B": (10, 12),
        "layers.0.C": (12, 10),
        "layers.0.D": (12, 12),
        "layers.1.A": (10, 10),
        "layers.1.B": (10, 12),
        "layers.1.C": (256, 10),
        "layers.1.D": (256, 12),
    }
    assert sum(w.size for w in parameters.values()) == model.num_parameters
    assert all(w.dtype == np.float32 for w in parameters.values())
    with pytest.raises(ValueError, match="read-only"):
        parameters["layers.0.A"][0, 0] = 1
    before = parameters["layers.0.A"].copy()
    model.set_parameters({"layers.0.A": np.zeros((10, 10)), "layers.0.B": [[1] * 12] * 10})
    np.testing.assert_array_equal(parameters["layers.0.A"], before)
    assert not model.parameters["layers.0.A"].any() and model.parameters["layers.0.B"].all()
    del model
    gc.collect()
    np.testing.assert_array_equal(parameters["layers.0.A"], before)


def test_set_parameters_checks_all_before_it_writes_any() -> None:
    model = slm.Model(**TINY)
    before = model.parameters
    with pytest.raises(slm.ConfigError, match=r"layers\.1\.A"):
        model.set_parameters({"layers.0.A": np.zeros((10, 10)), "layers.1.A": np.zeros(3)})
    np.testing.assert_array_equal(model.parameters["layers.0.A"], before["layers.0.A"])


def test_loss_logits_and_gradients_agree() -> None:
    model = slm.Model(**TINY)
    inputs, targets = windows()
    logits = model.logits(inputs)
    assert logits.shape == (16, 4, 256) and logits.dtype == np.float32
    log_p = logits - np.log(np.exp(logits.astype(float)).sum(-1, keepdims=True))
    expected = -np.take_along_axis(log_p, targets[..., None].astype(int), -1).mean()
    loss, gradients = model.gradients(inputs, targets)
    assert loss == pytest.approx(expected, abs=1e-5)
    assert model.loss(inputs, targets) == pytest.approx(expected, abs=1e-5)
    assert {name: g.shape for name, g in gradients.items()} == {
        name: w.shape for name, w in model.parameters.items()
    }


def test_arrays_of_any_layout() -> None:
    model = slm.Model(**TINY)
    inputs, targets = windows()
    assert not inputs.flags.c_contiguous
    expected = model.loss(np.ascontiguousarray(inputs), np.ascontiguousarray(targets))
    assert model.loss(inputs, targets) == expected
    assert model.loss(np.asfortranarray(inputs), targets) == expected
    backwards = inputs[::-1].copy()[::-1]
    assert model.loss(backwards, targets) == expected


def test_state_outlives_its_model() -> None:
    state = slm.Model(**TINY).new_state(2)
    gc.collect()
    copy = state.copy()
    del state
    gc.collect()
    assert copy.batch_size == 2
    assert slm.Model(**TINY).step(np.array([1, 2], np.uint8), copy).shape == (2, 256)


def test_score() -> None:
    model = slm.Model(**TINY)
    score = model.score(TEXT)
    assert score.num_bytes == len(TEXT) and score.log_probs.shape == (len(TEXT),)
    assert score.nats_per_byte == pytest.approx(-score.log_probs.mean(dtype=float), rel=1e-6)
    assert score.bits_per_byte == pytest.approx(score.nats_per_byte / np.log(2))
    assert score.perplexity == pytest.approx(np.exp(score.nats_per_byte))
    short = model.score(TEXT, log_probs=False)
    assert short.log_probs.size == 0 and short.nats_per_byte == score.nats_per_byte


def test_save_and_load(tmp_path: Path) -> None:
    model = slm.Model(**TINY, seed=5)
    model.save(tmp_path / "m.safetensors")
    loaded = slm.load(str(tmp_path / "m.safetensors"), threads=1)
    assert loaded.config == model.config and loaded.train_config == model.train_config
    for name, value in model.parameters.items():
        np.testing.assert_array_equal(loaded.parameters[name], value)
    assert [path.name for path in tmp_path.iterdir()] == ["m.safetensors"]


def test_all_options_together(tmp_path: Path) -> None:
    model = slm.Model(**TINY, **{**ALL_OPTIONS, "ngram_orders": [2, 3]})
    assert dataclasses.asdict(model.config).items() >= ALL_OPTIONS.items()
    shapes = {name: w.shape for name, w in model.parameters.items()}
    assert shapes["ngram.3.weight"] == (64, 5) and shapes["match.4.weight"] == (1536, 5)
    assert shapes["layers.1.in.bias"] == (30,)
    options: dict[str, Any] = {"min_lr_ratio": 0.25, "table_lr_scale": 2.0, "sampling": "stream"}
    history = model.train(TEXT, steps=30, learning_rate=0.02, dropout=0.25, **options)
    assert dataclasses.asdict(history.config).items() >= {**options, "dropout": 0.25}.items()
    assert (
        model.score(TEXT).nats_per_byte < slm.Model(**TINY, **ALL_OPTIONS).score(TEXT).nats_per_byte
    )
    model.save(tmp_path / "m.safetensors")
    loaded = slm.load(tmp_path / "m.safetensors")
    assert loaded.config == model.config and loaded.train_config == model.train_config
    for name, value in model.parameters.items():
        np.testing.assert_array_equal(loaded.parameters[name], value)


def test_dropout_by_how_often_the_text_is_read() -> None:
    model = slm.Model(**TINY, ngram_orders=(2,))
    once, often = (model.train(TEXT, steps=s, dropout="auto").config for s in (1, 40))
    assert 0 < once.dropout < often.dropout < 1
    training = dataclasses.replace(slm.presets()["seed-small"].train_config, dropout="auto")
    by_preset = slm.Model(slm.Preset(model.config, training))
    assert by_preset.train_config.dropout == -1
    assert by_preset.train(TEXT, steps=40).config.dropout == often.dropout


def test_noise() -> None:
    plain, noisy = (slm.Model(**TINY) for _ in range(2))
    plain.train(TEXT, steps=5)
    assert noisy.train(TEXT, steps=5, input_noise=0.2).config.input_noise == 0.2
    assert any((plain.parameters[n] != p).any() for n, p in noisy.parameters.items())
    often = plain.train(TEXT, steps=40, input_noise="auto").config
    assert 0 < often.input_noise < 0.1 and plain.last_run == often


@pytest.mark.parametrize("dtype", ["float16", "int8"])
def test_save_smaller(dtype: str, tmp_path: Path) -> None:
    model = slm.Model(**TINY, **ALL_OPTIONS)
    model.train(TEXT, steps=20)
    model.save(tmp_path / "whole.safetensors")
    model.save(tmp_path / "small.safetensors", dtype=dtype)
    sizes = [(tmp_path / f"{name}.safetensors").stat().st_size for name in ("small", "whole")]
    assert sizes[0] < sizes[1]
    loaded = slm.load(tmp_path / "small.safetensors")
    for name, value in model.parameters.items():
        allowed = abs(value).max() * (2**-10 if dtype == "float16" else 1 / 254) + 1e-7
        assert abs(loaded.parameters[name] - value).max() <= allowed, name
        assert value.ndim == 1 or not np.array_equal(loaded.parameters[name], value), name


def test_score_that_adapts() -> None:
    model = slm.Model(**TINY, **ALL_OPTIONS)
    plain, before = model.score(TEXT), model.parameters
    adapted = model.score(TEXT, adapt=True)
    assert adapted.num_bytes == plain.num_bytes and adapted.log_probs.shape == (len(TEXT),)
    assert adapted.nats_per_byte < plain.nats_per_byte
    # The first bytes are scored before anything is learned.
    np.testing.assert_allclose(adapted.log_probs[:8], plain.log_probs[:8], atol=1e-5)
    for name, value in model.parameters.items():
        np.testing.assert_array_equal(value, before[name])
    again = model.score(TEXT, adapt=True, keep=True, log_probs=False)
    assert again.nats_per_byte == adapted.nats_per_byte and again.log_probs.size == 0
    assert model.score(TEXT).nats_per_byte < plain.nats_per_byte


def test_load_without_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "english.safetensors"
    monkeypatch.setattr("slm.bundled.BUNDLED_MODEL", str(path))
    with pytest.raises(FileNotFoundError, match="bundled model"):
        slm.load()
    slm.Model(**TINY, seed=3).save(path)
    assert slm.load().config == slm.Model(**TINY).config


def test_trainer() -> None:
    model = slm.Model(**TINY)
    trainer = slm.Trainer(model, learning_rate=0.01, warmup_steps=0, schedule="constant")
    inputs, targets = windows()
    before = model.loss(inputs, targets)
    assert trainer.step(inputs, targets) == pytest.approx(before, abs=1e-6)
    for _ in range(20):
        trainer.step(inputs, targets)
    assert model.loss(inputs, targets) < before
    assert trainer.steps_done == 21 and trainer.grad_norm > 0
    assert trainer.learning_rate == pytest.approx(0.01)
    del model
    gc.collect()
    trainer.step(inputs, targets)  # keeps its model alive


def test_threads_of_python_share_a_model() -> None:
    model = slm.Model(**TINY)
    expected = model.score(TEXT).nats_per_byte
    results: list[float] = []
    threads = [
        threading.Thread(target=lambda: results.append(model.score(TEXT).nats_per_byte))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 4


def test_long_calls_release_the_gil() -> None:
    model, ticks = slm.Model("seed-small", embed_dim=64, state_dim=64), 0
    thread = threading.Thread(target=lambda: model.score(b"x" * 2_000_000))
    thread.start()
    while thread.is_alive():
        ticks += 1
        time.sleep(0.001)
    assert ticks > 5


def test_import_is_light() -> None:
    program = "import sys, slm; print(*[m for m in ('tqdm', 'argparse') if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == ""
