"""Calls with a bad argument, each with its exception and its sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import slm
from models import TINY

TEXT = b"All the world's a stage, and all the men and women merely players. " * 20
ABOVE_ZERO = "but must be a finite number above 0"
FLOAT32 = r"but must be a number of float32, from -3.4028235e\+38 to 3.4028235e\+38"


def window(*shape: int, dtype: Any = np.uint8) -> Any:
    return np.ones(shape, dtype)


def new_model(**options: Any) -> Callable[[slm.Model], object]:
    return lambda m: slm.Model(**{**TINY, **options})


def train(**options: Any) -> Callable[[slm.Model], object]:
    return lambda m: slm.Model(**TINY).train(**{"text": TEXT, "steps": 1, **options})


def generate(**options: Any) -> Callable[[slm.Model], object]:
    return lambda m: m.generate(**{"prompt": "a", "max_bytes": 3, **options})


def set_parameters(**values: Any) -> Callable[[slm.Model], object]:
    return lambda m: m.set_parameters({k.replace("_", "."): v for k, v in values.items()})


Case = tuple[Callable[[slm.Model], object], type[Exception], str]

PYTHON: list[Case] = [
    # Model
    (lambda m: slm.Model("sead"), slm.ConfigError, '"sead".*"seed".*"seed-small"'),
    (lambda m: slm.Model(3), TypeError, "preset must be a name or a Preset, got int"),  # type: ignore[arg-type]
    (new_model(embed_dims=3), TypeError, "embed_dims"),
    (new_model(embed_dim=0), slm.ConfigError, "embed_dim is 0, but must be from 1"),
    (new_model(embed_dim=-5), slm.ConfigError, "embed_dim is -5"),
    (new_model(embed_dim=10**9), slm.ConfigError, "embed_dim is 1000000000"),
    (new_model(embed_dim=10**30), slm.ConfigError, "embed_dim is .*, but must be a whole number"),
    (new_model(embed_dim=1.5), TypeError, "embed_dim is 1.5, but must be a whole number"),
    (new_model(embed_dim="8"), TypeError, "embed_dim is '8', but must be a whole number"),
    (new_model(embed_dim=True), TypeError, "embed_dim is True, but must be a whole number"),
    (new_model(state_dim=0), slm.ConfigError, "state_dim is 0"),
    (new_model(num_layers=0), slm.ConfigError, "num_layers is 0"),
    (new_model(num_layers=10**6), slm.ConfigError, "num_layers is 1000000"),
    (
        new_model(embed_dim=65536, state_dim=65536, num_layers=9),
        slm.ConfigError,
        "number of parameters",
    ),
    (new_model(cell="lstm"), slm.ConfigError, 'cell is "lstm", but must be "dense"'),
    (new_model(cell=1), TypeError, "cell is 1, but must be a str"),
    (new_model(init="zeros"), slm.ConfigError, 'init is "zeros"'),
    (new_model(residual="yes"), TypeError, "residual is 'yes', but must be a bool"),
    (new_model(norm="layer"), slm.ConfigError, 'norm is "layer", but must be "none" or "rms"'),
    (new_model(mlp_dim=-1), slm.ConfigError, "mlp_dim is -1"),
    (new_model(tie_embeddings="no"), TypeError, "tie_embeddings is 'no', but must be a bool"),
    (
        new_model(ngram_orders=3),
        TypeError,
        "ngram_orders is .*, but must be a list or tuple of whole numbers",
    ),
    (new_model(ngram_orders="23"), TypeError, "ngram_orders is '23', but must be a list"),
    (
        new_model(ngram_orders=(2, 3.5)),
        TypeError,
        "entry of ngram_orders is 3.5, but must be a whole",
    ),
    (
        new_model(ngram_orders=(True,)),
        TypeError,
        "entry of ngram_orders is True, but must be a whole",
    ),
    (
        new_model(ngram_orders=(2**70,)),
        slm.ConfigError,
        "entry of ngram_orders is .*, but must be a whole",
    ),
    (new_model(ngram_orders=(1, 2)), slm.ConfigError, "an entry of ngram_orders is 1"),
    (new_model(ngram_orders=(2, 9)), slm.ConfigError, "an entry of ngram_orders is 9"),
    (new_model(ngram_orders=(3, 3)), slm.ConfigError, "above the one before it"),
    (new_model(ngram_buckets=1000), slm.ConfigError, "ngram_buckets is 1000.* power of two"),
    (new_model(ngram_buckets=0), slm.ConfigError, "ngram_buckets is 0"),
    (new_model(ngram_dim=-1), slm.ConfigError, "ngram_dim is -1"),
    (
        new_model(match_lengths=4),
        TypeError,
        "match_lengths is .*, but must be a list or tuple of whole",
    ),
    (new_model(match_lengths=(4, 3)), slm.ConfigError, "above the one before it, 4"),
    (new_model(match_lengths=(40,)), slm.ConfigError, "an entry of match_lengths is 40"),
    (new_model(match_span=0), slm.ConfigError, "match_span is 0"),
    (new_model(fixed_share=0.6), slm.ConfigError, "fixed_share is 0.6"),
    (
        new_model(seed=-1),
        slm.ConfigError,
        r"seed is -1, but must be a whole number from 0 to 2\^64 - 1",
    ),
    (new_model(seed="x"), TypeError, "seed is .*, but must be"),
    (new_model(device="tpu"), slm.DeviceError, "tpu"),
    (new_model(device=0), TypeError, "device is .*, but must be a str"),
    (new_model(threads=-1), slm.ConfigError, "threads"),
    (new_model(threads=1.5), TypeError, "threads is .*, but must be a whole number"),
    # Arrays
    (lambda m: m.loss(window(4), window(4)), slm.ConfigError, r"shape \(T, B\), got shape \(4,\)"),
    (lambda m: m.loss(window(4, 2), window(4, 3)), slm.ConfigError, "the same shape"),
    (lambda m: m.loss(window(0, 2), window(0, 2)), slm.ConfigError, "at least 1"),
    (lambda m: m.loss(window(4, 0), window(4, 0)), slm.ConfigError, "at least 1"),
    (lambda m: m.logits(window(4, 2, dtype=np.int64)), TypeError, "uint8.*got dtype int64"),
    (lambda m: m.logits([[1], [2]]), TypeError, "NumPy array of uint8.*got list"),  # type: ignore[arg-type]
    (lambda m: m.logits(window(4, 2, 1)), slm.ConfigError, r"got shape \(4, 2, 1\)"),
    (lambda m: m.gradients(window(4, 2), window(4)), slm.ConfigError, "targets must be"),
    # State
    (lambda m: m.new_state(0), slm.ConfigError, "batch_size"),
    (lambda m: m.new_state(-1), slm.ConfigError, "batch_size"),
    (lambda m: m.new_state("2"), TypeError, "batch_size is .*, but must be a whole number"),  # type: ignore[arg-type]
    (lambda m: m.step(window(3), m.new_state(2)), slm.ConfigError, "state's 2 texts, got 3"),
    (lambda m: m.step(window(2, 1), m.new_state(2)), slm.ConfigError, r"shape \(B,\)"),
    (lambda m: m.step(window(2), None), TypeError, "state must be a State"),  # type: ignore[arg-type]
    (lambda m: m.logits(window(4, 3), m.new_state(2)), slm.ConfigError, "2 texts"),
    (lambda m: m.logits(window(4, 3), "s"), TypeError, "state must be a State"),  # type: ignore[arg-type]
    (
        lambda m: m.step(window(2), slm.Model(**{**TINY, "state_dim": 99}).new_state(2)),
        slm.ConfigError,
        "state",
    ),
    (
        lambda m: m.logits(window(4, 2), slm.Model(**{**TINY, "num_layers": 1}).new_state(2)),
        slm.ConfigError,
        "state",
    ),
    # Parameters
    (set_parameters(nothing=window(3)), slm.ConfigError, "no parameter 'nothing'; there are emb"),
    (set_parameters(layers_0_A=window(2, 3)), slm.ConfigError, r"shape \(10, 10\), got \(2, 3\)"),
    (set_parameters(layers_0_A=np.full((10, 10), np.nan)), slm.ConfigError, "not finite"),
    (set_parameters(layers_0_A=np.full((10, 10), 1e300)), slm.ConfigError, "not finite in float32"),
    (set_parameters(layers_0_A=np.full((10, 10), "x")), TypeError, "array of numbers"),
    # Training
    (train(steps=0), slm.ConfigError, "steps is 0"),
    (train(steps=-3), slm.ConfigError, "steps is -3"),
    (train(steps=2.5), TypeError, "steps is .*, but must be a whole number"),
    (train(steps=None, seconds=0), slm.ConfigError, f"seconds is 0, {ABOVE_ZERO}"),
    (train(steps=None, seconds=-1.5), slm.ConfigError, f"seconds is -1.5, {ABOVE_ZERO}"),
    (train(steps=None, seconds=float("nan")), slm.ConfigError, f"seconds is nan, {ABOVE_ZERO}"),
    (train(steps=None, seconds=float("inf")), slm.ConfigError, f"seconds is inf, {ABOVE_ZERO}"),
    (train(steps=None, seconds=True), TypeError, "seconds is True, but must be a number"),
    (train(steps=None, seconds="60"), TypeError, "seconds is .*, but must be a number"),
    (train(seconds=60), slm.ConfigError, "not both"),
    (train(stepz=3), TypeError, "stepz"),
    (train(batch_size=0), slm.ConfigError, "batch_size is 0"),
    (train(seq_len=-1), slm.ConfigError, "seq_len is -1"),
    (train(learning_rate=-1.0), slm.ConfigError, "learning_rate is -1"),
    (train(learning_rate=float("inf")), slm.ConfigError, "learning_rate is inf"),
    (train(learning_rate="fast"), TypeError, "learning_rate is 'fast', but must be a number"),
    (train(beta1=1.0), slm.ConfigError, "beta1 is 1"),
    (train(beta2=float("nan")), slm.ConfigError, "beta2 is nan"),
    (train(epsilon=0.0), slm.ConfigError, "epsilon is 0"),
    (train(weight_decay=-0.1), slm.ConfigError, "weight_decay"),
    (train(clip_norm=-1.0), slm.ConfigError, "clip_norm"),
    (train(warmup_steps=-1), slm.ConfigError, "warmup_steps"),
    (train(schedule="linear"), slm.ConfigError, 'schedule is "linear"'),
    (train(sampling="all"), slm.ConfigError, 'sampling is "all"'),
    (train(min_lr_ratio=1.5), slm.ConfigError, "min_lr_ratio is 1.5"),
    (train(table_lr_scale=-1.0), slm.ConfigError, "table_lr_scale is -1"),
    (train(dropout=1.0), slm.ConfigError, "dropout is 1"),
    (train(dropout=-0.5), slm.ConfigError, "dropout is -0.5"),
    (train(input_noise=1.0), slm.ConfigError, "input_noise is 1"),
    (train(max_spectral_radius=-1.0), slm.ConfigError, "max_spectral_radius is -1"),
    (
        lambda m: slm.Trainer(slm.Model("nano", ngram_orders=()), max_spectral_radius=0.9),
        slm.ConfigError,
        'max_spectral_radius is above 0, .* cell is "gated"',
    ),
    (train(input_noise="some"), TypeError, "input_noise must be a number or \"auto\", got 'some'"),
    (train(dropout="some"), TypeError, "dropout must be a number or \"auto\", got 'some'"),
    (train(seed=2**64), slm.ConfigError, "seed is"),
    (train(validation=1), slm.ConfigError, "validation is 1, but must be at least 0 and below 1"),
    (train(validation=-0.1), slm.ConfigError, "validation is -0.1, but must be at least 0"),
    (train(validation=float("nan")), slm.ConfigError, "validation is nan, but must be at least 0"),
    (train(validation=b""), slm.ConfigError, "validation text is empty"),
    (train(encoding=5), TypeError, "encoding must be a str or None, got int"),
    (train(text="a str", encoding=5), TypeError, "encoding must be a str or None, got int"),
    (train(validation=True), TypeError, "validation must be"),
    (train(validation=np.float32(2)), slm.ConfigError, "validation is 2.0, but must be at least 0"),
    (
        train(learning_rate=1e300),
        slm.ConfigError,
        r"learning_rate is 1e\+300, but must be a number",
    ),
    (train(learning_rate=10**400), slm.ConfigError, "learning_rate is 1000.*, but must be a num"),
    (train(checkpoint=""), slm.ConfigError, "checkpoint is an empty path"),
    (train(checkpoint="a\0b"), slm.ConfigError, "NUL"),
    (train(callback=3), TypeError, "callback must be a function"),
    (lambda m: m.save("a\0b"), slm.ConfigError, "NUL"),
    (lambda m: slm.load("m.safetensors\0"), slm.ConfigError, "NUL"),
    (lambda m: slm.load_text("text.txt\0"), slm.ConfigError, "NUL"),
    (
        lambda m: slm.Model("seed-small", embed_dim="é" * 99),
        TypeError,
        "embed_dim is .*, but must be a whole number",
    ),  # type: ignore[arg-type]
    (train(eval_every=-1), slm.ConfigError, "eval_every is -1"),
    (train(patience=-1), slm.ConfigError, "patience is -1"),
    (train(checkpoint=3), TypeError, "PathLike"),
    (train(resume=True), slm.ConfigError, "resume needs the checkpoint"),
    (train(resume="yes"), TypeError, "resume is 'yes', but must be a bool"),
    (train(checkpoint="no.ckpt", resume=True), FileNotFoundError, "no.ckpt"),
    (train(checkpoint="m.safetensors", resume=True), slm.FormatError, "m.safetensors"),
    (lambda m: slm.Trainer("model"), TypeError, "model must be a slm.Model, got str"),  # type: ignore[arg-type]
    (lambda m: slm.Trainer(m, learning_rate=0), slm.ConfigError, "learning_rate is 0"),
    # Texts
    (train(text=""), slm.ConfigError, "empty"),
    (train(text=[]), slm.ConfigError, "empty"),
    (train(text=7), TypeError, "text must be a str, bytes, .* got int"),
    (train(text=None), TypeError, "got NoneType"),
    (train(text=["a", 7]), TypeError, r"text\[1\] must be a str"),
    (train(text="text.txt"), slm.ConfigError, r"names a file: pass pathlib.Path\('text.txt'\)"),
    (train(text="\ud800"), slm.ConfigError, "lone surrogate at index 0"),
    (train(text=window(4, 2)), slm.ConfigError, r"shape \(num_bytes,\), got shape \(4, 2\)"),
    (train(text=window(9, dtype=np.float32)), TypeError, "uint8.*got dtype float32"),
    (train(text=[window(9, dtype=np.int8), "a"]), TypeError, r"text\[0\] must be an array of u"),
    (train(text=Path("nowhere.txt")), FileNotFoundError, "nowhere.txt"),
    (train(text=Path("empty.txt")), slm.ConfigError, "empty"),
    (train(text=Path("folder")), slm.ConfigError, "folder"),
    (train(text=Path("/dev/null")), slm.ConfigError, "/dev/null"),
    (lambda m: slm.load_text(), slm.ConfigError, "at least one file or folder"),
    (lambda m: m.score(""), slm.ConfigError, "empty"),
    (lambda m: m.score(3), TypeError, "text must be"),  # type: ignore[arg-type]
    (lambda m: m.score("", adapt=True), slm.ConfigError, "empty"),
    (lambda m: m.score("a", keep=True), slm.ConfigError, "adapt=True"),
    # Generation
    (generate(prompt=3), TypeError, "prompt must be a str or bytes, got int"),
    (generate(prompt="\udc80"), slm.ConfigError, "prompt has a lone surrogate"),
    (generate(max_bytes=-1), slm.ConfigError, "max_bytes is -1"),
    (generate(max_bytes=1.5), TypeError, "max_bytes is .*, but must be a whole number"),
    (
        generate(max_bytes=2**63),
        slm.ConfigError,
        r"max_bytes is 9223372036854775808, but must be a whole number from -2\^63 to 2\^63 - 1",
    ),
    (generate(top_k=2**31), slm.ConfigError, r"top_k is .* to 2\^31 - 1"),
    (generate(temperature=1e300), slm.ConfigError, rf"temperature is 1e\+300, {FLOAT32}"),
    (
        generate(repetition_penalty=1e300),
        slm.ConfigError,
        rf"repetition_penalty is 1e\+300, {FLOAT32}",
    ),
    (generate(temperature=-0.5), slm.ConfigError, "temperature is -0.5"),
    (generate(temperature=float("nan")), slm.ConfigError, "temperature"),
    (generate(temperature="hot"), TypeError, "temperature is .*, but must be a number"),
    (generate(top_p=0.0), slm.ConfigError, "top_p"),
    (generate(top_p=1.5), slm.ConfigError, "top_p"),
    (generate(top_k=-1), slm.ConfigError, "top_k"),
    (generate(min_p=2.0), slm.ConfigError, "min_p"),
    (generate(stop=""), slm.ConfigError, "stop"),
    (generate(stop=["a", 3]), TypeError, "stop must be a str or bytes"),
    (generate(stop=3), TypeError, "stop must be"),
    (generate(prompt=["a", 3]), TypeError, "prompt must be a str or bytes, got int"),
    (generate(prompt=["a", b"a"]), TypeError, "the prompts must be all str or all bytes"),
    (generate(allowed=""), slm.ConfigError, "allowed is empty"),
    (generate(allowed=3), TypeError, "allowed must be a str or bytes, got int"),
    (generate(repetition_penalty=0.0), slm.ConfigError, "repetition_penalty is 0"),
    (generate(repetition_penalty=float("inf")), slm.ConfigError, "repetition_penalty is inf"),
    (generate(logit_bias=3), TypeError, "logit_bias must be a dict, got int"),
    (generate(logit_bias={"ab": 1.0}), slm.ConfigError, "'ab', which has 2 bytes"),
    (
        generate(logit_bias={b"a": 1, "a": 2, 97: 3}),
        slm.ConfigError,
        "logit_bias has two values for byte 97, by the keys b'a' and 'a'",
    ),
    (generate(logit_bias={256: 1.0}), slm.ConfigError, "a key of logit_bias is 256"),
    (generate(logit_bias={1.5: 1.0}), TypeError, "a key of logit_bias must be an int"),
    (generate(logit_bias={1: "much"}), TypeError, "the logit_bias of byte 1 is 'much', but must"),
    (generate(logit_bias={"a": True}), TypeError, "the logit_bias of byte 97 is True, but must"),
    (
        generate(logit_bias={"a": 1e308}),
        slm.ConfigError,
        rf"the logit_bias of byte 97 is 1e\+308, {FLOAT32}",
    ),
    (
        generate(logit_bias={1: -1e308}),  # which would ban the byte
        slm.ConfigError,
        rf"the logit_bias of byte 1 is -1e\+308, {FLOAT32}",
    ),
    (generate(logit_bias={1: float("nan")}), slm.ConfigError, "the logit_bias of byte 1 is nan"),
    (generate(logit_bias={1: float("inf")}), slm.ConfigError, "the logit_bias of byte 1 is inf"),
    (
        generate(allowed="a", logit_bias={"a": float("-inf")}),
        slm.ConfigError,
        "no byte is left to be sampled",
    ),
    (generate(seed=-1), slm.ConfigError, "seed is"),
    (generate(num_samples=0), slm.ConfigError, "num_samples is 0"),
    # Files
    (lambda m: slm.load("nowhere.safetensors"), FileNotFoundError, "nowhere.safetensors"),
    (lambda m: slm.load("folder"), (OSError, slm.Error), "folder"),  # type: ignore[list-item]
    (lambda m: slm.load("text.txt"), slm.FormatError, "text.txt"),
    (lambda m: slm.load("empty.txt"), slm.FormatError, "empty.txt"),
    (lambda m: slm.load("cut.safetensors"), slm.FormatError, "cut.safetensors"),
    (lambda m: slm.load(3), TypeError, "PathLike"),  # type: ignore[arg-type]
    (lambda m: m.save("no/such/m.safetensors"), FileNotFoundError, "no/such"),
    (lambda m: m.save("folder"), OSError, "folder"),
    (lambda m: m.save(""), OSError, "the path is empty"),
    (lambda m: m.save("new.safetensors", "int4"), slm.ConfigError, "int4"),
    (lambda m: m.save("new.safetensors", dtype=8), TypeError, "dtype must be a str"),  # type: ignore[arg-type]
]
