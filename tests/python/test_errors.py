"""The error table: each bad input has its exception and its sentence, and leaves no trace."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slm
from slm.cli import main

TEXT = b"All the world's a stage, and all the men and women merely players. " * 20
TINY: dict[str, Any] = {"preset": "seed-small", "embed_dim": 4, "state_dim": 3, "num_layers": 2}


def window(*shape: int, dtype: Any = np.uint8) -> Any:
    return np.ones(shape, dtype)


@pytest.fixture(scope="module")
def model() -> slm.Model:
    return slm.Model(**TINY)


@pytest.fixture(scope="module")
def model_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("model") / "m.safetensors"
    slm.Model(**TINY).save(path)
    return path.read_bytes()


@pytest.fixture
def folder(tmp_path: Path, model_bytes: bytes, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: a text, a model, a checkpoint's name, and a folder without a text."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_bytes(TEXT)
    (tmp_path / "empty.txt").write_bytes(b"")
    (tmp_path / "m.safetensors").write_bytes(model_bytes)
    (tmp_path / "half.ckpt.safetensors").write_bytes(model_bytes)
    (tmp_path / "cut.safetensors").write_bytes(model_bytes[:-1])
    (tmp_path / "folder").mkdir()
    monkeypatch.setattr("slm.model.BUNDLED_MODEL", str(tmp_path / "english.safetensors"))
    return tmp_path


def contents(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


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
    (new_model(embed_dim=0), slm.ConfigError, "embed_dim is 0; it must be from 1"),
    (new_model(embed_dim=-5), slm.ConfigError, "embed_dim is -5"),
    (new_model(embed_dim=10**9), slm.ConfigError, "embed_dim is 1000000000"),
    (new_model(embed_dim=10**30), slm.ConfigError, "embed_dim must be a whole number"),
    (new_model(embed_dim=1.5), TypeError, "embed_dim must be a whole number, got 1.5"),
    (new_model(embed_dim="8"), TypeError, "embed_dim must be a whole number, got '8'"),
    (new_model(embed_dim=True), TypeError, "embed_dim must be a whole number, got True"),
    (new_model(state_dim=0), slm.ConfigError, "state_dim is 0"),
    (new_model(num_layers=0), slm.ConfigError, "num_layers is 0"),
    (new_model(num_layers=10**6), slm.ConfigError, "num_layers is 1000000"),
    (
        new_model(embed_dim=65536, state_dim=65536, num_layers=9),
        slm.ConfigError,
        "number of parameters",
    ),
    (new_model(cell="lstm"), slm.ConfigError, 'cell is "lstm"; it must be "dense"'),
    (new_model(cell=1), TypeError, "cell must be a str, got 1"),
    (new_model(init="zeros"), slm.ConfigError, 'init is "zeros"'),
    (new_model(residual="yes"), TypeError, "residual must be a bool, got 'yes'"),
    (new_model(norm="layer"), slm.ConfigError, 'norm is "layer"; it must be "none" or "rms"'),
    (new_model(mlp_dim=-1), slm.ConfigError, "mlp_dim is -1"),
    (new_model(tie_embeddings="no"), TypeError, "tie_embeddings must be a bool, got 'no'"),
    (new_model(ngram_orders=3), TypeError, "ngram_orders must be a list or tuple of whole numbers"),
    (new_model(ngram_orders="23"), TypeError, "ngram_orders must be a list .* got '23'"),
    (new_model(ngram_orders=(2, 3.5)), TypeError, "entry of ngram_orders must be a whole .* 3.5"),
    (new_model(ngram_orders=(True,)), TypeError, "entry of ngram_orders must be a whole .* True"),
    (new_model(ngram_orders=(2**70,)), slm.ConfigError, "entry of ngram_orders must be a whole"),
    (new_model(ngram_orders=(1, 2)), slm.ConfigError, "an order of ngram_orders is 1"),
    (new_model(ngram_orders=(2, 9)), slm.ConfigError, "an order of ngram_orders is 9"),
    (new_model(ngram_orders=(3, 3)), slm.ConfigError, "above the one before it"),
    (new_model(ngram_buckets=1000), slm.ConfigError, "ngram_buckets is 1000.* power of two"),
    (new_model(ngram_buckets=0), slm.ConfigError, "ngram_buckets is 0"),
    (new_model(ngram_dim=-1), slm.ConfigError, "ngram_dim is -1"),
    (new_model(seed=-1), slm.ConfigError, r"seed must be a whole number from 0 to 2\^64 - 1"),
    (new_model(seed="x"), TypeError, "seed must be"),
    (new_model(device="tpu"), slm.DeviceError, "tpu"),
    (new_model(device=0), TypeError, "device must be a str"),
    (new_model(threads=-1), slm.ConfigError, "threads"),
    (new_model(threads=1.5), TypeError, "threads must be a whole number"),
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
    (lambda m: m.new_state("2"), TypeError, "batch_size must be a whole number"),  # type: ignore[arg-type]
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
    (set_parameters(layers_0_A=window(2, 3)), slm.ConfigError, r"shape \(3, 3\), got \(2, 3\)"),
    (set_parameters(layers_0_A=np.full((3, 3), np.nan)), slm.ConfigError, "not finite"),
    (set_parameters(layers_0_A=np.full((3, 3), 1e300)), slm.ConfigError, "not finite in float32"),
    (set_parameters(layers_0_A=np.full((3, 3), "x")), TypeError, "array of numbers"),
    # Training
    (train(steps=0), slm.ConfigError, "steps is 0"),
    (train(steps=-3), slm.ConfigError, "steps is -3"),
    (train(steps=2.5), TypeError, "steps must be a whole number"),
    (train(steps=None, seconds=0), slm.ConfigError, "seconds is 0; it must be above 0"),
    (train(steps=None, seconds=-1.5), slm.ConfigError, "seconds is -1.5"),
    (train(steps=None, seconds=float("nan")), slm.ConfigError, "seconds is nan"),
    (train(steps=None, seconds="60"), TypeError, "seconds must be a number"),
    (train(seconds=60), slm.ConfigError, "not both"),
    (train(stepz=3), TypeError, "stepz"),
    (train(batch_size=0), slm.ConfigError, "batch_size is 0"),
    (train(seq_len=-1), slm.ConfigError, "seq_len is -1"),
    (train(learning_rate=-1.0), slm.ConfigError, "learning_rate is -1"),
    (train(learning_rate=float("inf")), slm.ConfigError, "learning_rate is inf"),
    (train(learning_rate="fast"), TypeError, "learning_rate must be a number, got 'fast'"),
    (train(beta1=1.0), slm.ConfigError, "beta1 is 1"),
    (train(beta2=float("nan")), slm.ConfigError, "beta2 is nan"),
    (train(epsilon=0.0), slm.ConfigError, "epsilon is 0"),
    (train(weight_decay=-0.1), slm.ConfigError, "weight_decay"),
    (train(clip_norm=-1.0), slm.ConfigError, "clip_norm"),
    (train(warmup_steps=-1), slm.ConfigError, "warmup_steps"),
    (train(schedule="linear"), slm.ConfigError, 'schedule is "linear"'),
    (train(sampling="all"), slm.ConfigError, 'sampling is "all"'),
    (train(final_rate=1.5), slm.ConfigError, "final_rate is 1.5"),
    (train(ngram_rate=-1.0), slm.ConfigError, "ngram_rate is -1"),
    (train(dropout=1.0), slm.ConfigError, "dropout is 1"),
    (train(dropout=-0.5), slm.ConfigError, "dropout is -0.5"),
    (train(noise=1.0), slm.ConfigError, "noise is 1"),
    (train(max_radius=-1.0), slm.ConfigError, "max_radius is -1"),
    (train(noise="some"), TypeError, "noise must be a number or \"auto\", got 'some'"),
    (train(dropout="some"), TypeError, "dropout must be a number or \"auto\", got 'some'"),
    (train(seed=2**64), slm.ConfigError, "seed must be"),
    (train(validation=1.0), slm.ConfigError, "validation fraction is 1"),
    (train(validation=-0.1), slm.ConfigError, "validation fraction"),
    (train(validation=b""), slm.ConfigError, "validation text is empty"),
    (train(validation=True), TypeError, "validation must be a share"),
    (train(validation=np.float32(2)), slm.ConfigError, "validation fraction"),
    (train(checkpoint=""), slm.ConfigError, "checkpoint is an empty path"),
    (train(checkpoint="a\0b"), slm.ConfigError, "NUL"),
    (train(callback=3), TypeError, "callback must be a function"),
    (lambda m: m.save("a\0b"), slm.ConfigError, "NUL"),
    (lambda m: slm.load("m.safetensors\0"), slm.ConfigError, "NUL"),
    (lambda m: slm.load_text("text.txt\0"), slm.ConfigError, "NUL"),
    (
        lambda m: slm.Model("seed-small", embed_dim="é" * 99),
        TypeError,
        "embed_dim must be a whole number",
    ),  # type: ignore[arg-type]
    (train(eval_every=-1), slm.ConfigError, "eval_every is -1"),
    (train(patience=-1), slm.ConfigError, "patience is -1"),
    (train(checkpoint=3), TypeError, "PathLike"),
    (train(resume=True), slm.ConfigError, "resume needs the checkpoint"),
    (train(resume="yes"), TypeError, "resume must be a bool"),
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
    (generate(max_bytes=1.5), TypeError, "max_bytes must be a whole number"),
    (generate(temperature=-0.5), slm.ConfigError, "temperature is -0.5"),
    (generate(temperature=float("nan")), slm.ConfigError, "temperature"),
    (generate(temperature="hot"), TypeError, "temperature must be a number"),
    (generate(top_p=0.0), slm.ConfigError, "top_p"),
    (generate(top_p=1.5), slm.ConfigError, "top_p"),
    (generate(top_k=-1), slm.ConfigError, "top_k"),
    (generate(min_p=2.0), slm.ConfigError, "min_p"),
    (generate(stop=""), slm.ConfigError, "stop"),
    (generate(stop=["a", 3]), TypeError, "stop must be a str or bytes"),
    (generate(stop=3), TypeError, "stop must be"),
    (generate(seed=-1), slm.ConfigError, "seed must be"),
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


@pytest.mark.parametrize("case", PYTHON, ids=lambda case: case[2])
def test_python(case: Case, model: slm.Model, folder: Path) -> None:
    call, kind, sentence = case
    before, parameters = contents(folder), model.parameters
    with pytest.raises(kind, match=sentence) as caught:
        call(model)
    assert "\n" not in str(caught.value)
    assert contents(folder) == before
    for name, value in model.parameters.items():
        np.testing.assert_array_equal(value, parameters[name])


COMMANDS: list[tuple[str, int, str]] = [
    ("", 2, "COMMAND"),
    ("trane", 2, "invalid choice"),
    ("train nowhere.txt", 1, "nowhere.txt"),
    ("train folder", 1, "folder"),
    ("train empty.txt", 1, "empty"),
    ("train text.txt -o m.safetensors", 1, "--overwrite"),
    ("train text.txt -o half.safetensors", 1, "half.ckpt.safetensors holds a run"),
    ("train text.txt -o no/such/m.safetensors", 1, "no/such"),
    ("train text.txt -o folder", 1, "is a folder"),
    ("train text.txt --steps x", 2, "invalid int value"),
    ("train text.txt --steps 0", 1, "steps is 0"),
    ("train text.txt --steps 1 --time 1s", 2, "not both"),
    ("train text.txt --time soon", 2, "no time such as"),
    ("train text.txt --time 0s", 1, "seconds is 0; it must be above 0"),
    ("train text.txt --resume --overwrite", 2, "not allowed with"),
    ("train text.txt --resume", 1, "slm.ckpt.safetensors"),
    ("train text.txt --resume -o half.safetensors", 1, "half.ckpt.safetensors"),
    ("train text.txt --from nowhere.safetensors", 1, "nowhere.safetensors"),
    ("train text.txt --from text.txt", 1, "text.txt"),
    ("train text.txt --from m.safetensors --embed-dim 9", 2, "--from takes the whole model"),
    ("train text.txt --preset huge", 1, '"huge"'),
    ("train text.txt --embed-dim 0", 1, "embed_dim is 0"),
    ("train text.txt --learning-rate=-1", 1, "learning_rate is -1"),
    ("train text.txt --validation nowhere.txt", 1, "nowhere.txt"),
    ("train text.txt --validation 1.5", 1, "validation fraction"),
    ("train text.txt --validation=", 2, "0 trains without validation"),
    ("train text.txt --device tpu", 1, "tpu"),
    ("train text.txt --threads -2", 1, "threads"),
    ("train text.txt --seed -1", 1, "seed"),
    ("train text.txt --ngram-orders 2;3", 2, "no list such as 2,3,4"),
    ("train text.txt --ngram-orders 3,2", 1, "an order of ngram_orders is 2"),
    ("train text.txt --dropout much", 2, "neither a number nor auto"),
    ("train text.txt --dropout 1", 1, "dropout is 1"),
    ("train text.txt --from m.safetensors --no-residual", 2, "--from takes the whole model"),
    ("export m.safetensors", 2, "-o"),
    ("export m.safetensors -o text.txt", 1, "text.txt exists"),
    ("export m.safetensors -o new.safetensors --dtype int4", 1, "int4"),
    ("export m.safetensors -o no/such.safetensors", 1, "no/such"),
    ("export nowhere.safetensors -o new.safetensors", 1, "nowhere.safetensors"),
    ("train text.txt --ste 1", 2, "unrecognized arguments"),
    ("generate", 1, "train a model with"),
    ("generate -m nowhere.safetensors", 1, "nowhere.safetensors"),
    ("generate -m cut.safetensors", 1, "cut.safetensors"),
    ("generate -m m.safetensors --temperature -1", 1, "temperature"),
    ("generate -m m.safetensors --temperature hot", 2, "invalid float"),
    ("generate -m m.safetensors --max-bytes -1", 1, "max_bytes is -1"),
    ("generate -m m.safetensors --top-p 0", 1, "top_p"),
    ("generate -m m.safetensors -n 0", 1, "num_samples is 0"),
    ("score text.txt", 1, "has no model of its own"),
    ("score", 2, "FILE"),
    ("score -m m.safetensors nowhere.txt", 1, "nowhere.txt"),
    ("score -m m.safetensors text.txt empty.txt", 1, "empty.txt"),
    ("score -m text.txt text.txt", 1, "text.txt"),
    ("info nowhere.safetensors", 1, "nowhere.safetensors"),
    ("info text.txt", 1, "text.txt"),
    ("presets extra", 2, "unrecognized arguments"),
]


@pytest.mark.parametrize(("command", "status", "sentence"), COMMANDS)
def test_command_line(
    command: str, status: int, sentence: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(folder)
    try:
        result = main(command.split())
    except SystemExit as stop:  # argparse
        result = int(str(stop.code))
    out, err = capsys.readouterr()
    assert (result, out) == (status, "")
    last = err.splitlines()[-1]
    assert sentence in last and "Traceback" not in err
    if status == 1:
        assert last.startswith("slm: error: ")
    assert contents(folder) == before


def edited(data: bytes, edit: Callable[[dict[str, Any]], object]) -> bytes:
    """A model file with its header changed."""
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    edit(header)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data[8 + size :]


def config(**values: Any) -> Callable[[dict[str, Any]], object]:
    def edit(header: dict[str, Any]) -> None:
        stored = json.loads(header["__metadata__"]["slm.config"])
        header["__metadata__"]["slm.config"] = json.dumps({**stored, **values})

    return edit


def tensor(**values: Any) -> Callable[[dict[str, Any]], object]:
    return lambda header: header["layers.0.A"].update(values)


HEADERS: list[tuple[str, Callable[[dict[str, Any]], object]]] = [
    ("metadata", lambda h: h.pop("__metadata__")),
    ("slm.format", lambda h: h["__metadata__"].pop("slm.format")),
    ("2", lambda h: h["__metadata__"].update({"slm.format": "2"})),
    ("slm.format", lambda h: h["__metadata__"].update({"slm.format": "new"})),
    ("slm.config", lambda h: h["__metadata__"].pop("slm.config")),
    ("slm.config", lambda h: h["__metadata__"].update({"slm.config": "{"})),
    ("slm.training", lambda h: h["__metadata__"].pop("slm.training")),
    ("embed_dim", config(embed_dim=0)),
    ("embed_dim", config(embed_dim=-1)),
    ("embed_dim", config(embed_dim=2**62)),
    ("embed_dim", config(embed_dim=1e300)),
    ("embed_dim", config(embed_dim="4")),
    ("embedding.weight|layers.0", config(embed_dim=5)),
    ("layers", config(num_layers=3)),
    ("layers.1", config(num_layers=1)),
    ("cell", config(cell="gru")),
    ("colour", config(colour=1)),
    ("layers.0.A", lambda h: h.pop("layers.0.A")),
    ("layers.0.A", tensor(dtype="F64")),
    ("layers.0.A", tensor(dtype="X1")),
    ("layers.0.A", tensor(shape=[9])),
    ("layers.0.A", tensor(shape=[3, -3])),
    ("layers.0.A", tensor(shape=[2**40, 2**40])),
    ("layers.0.A", tensor(shape=[3, 3, 1])),
    ("layers.0.A", tensor(data_offsets=[0, 2**63])),
    ("layers.0.A", tensor(data_offsets=[-4, 32])),
    ("layers.0.A", tensor(data_offsets=[36, 0])),
    ("layers.0.A", tensor(data_offsets=[0])),
]


@pytest.mark.parametrize(("name", "edit"), HEADERS)
def test_header(
    name: str,
    edit: Callable[[dict[str, Any]], object],
    model_bytes: bytes,
    tmp_path: Path,
) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(edited(model_bytes, edit))
    with pytest.raises(slm.FormatError, match=name) as caught:
        slm.load(path)
    assert "bad.safetensors" in str(caught.value)


def test_truncated_anywhere(model_bytes: bytes, tmp_path: Path) -> None:
    path = tmp_path / "cut.safetensors"
    for size in np.linspace(0, len(model_bytes) - 1, 200, dtype=int):
        path.write_bytes(model_bytes[:size])
        with pytest.raises(slm.FormatError, match=r"cut\.safetensors"):
            slm.load(path)


def test_weights_that_are_not_finite_are_refused_by_name(
    model_bytes: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "nan.safetensors"
    (size,) = struct.unpack("<Q", model_bytes[:8])
    begin, _ = json.loads(model_bytes[8 : 8 + size])["layers.1.C"]["data_offsets"]
    at = 8 + size + begin
    for bits in (b"\x00\x00\xc0\x7f", b"\x00\x00\x80\xff"):  # NaN, -infinity
        path.write_bytes(model_bytes[:at] + bits + model_bytes[at + 4 :])
        with pytest.raises(slm.FormatError, match=r"layers\.1\.C"):
            slm.load(path)


def test_a_failed_save_keeps_the_old_file(folder: Path, model: slm.Model) -> None:
    before = contents(folder)
    with pytest.raises(OSError, match="text"):
        model.save("text.txt/m.safetensors")
    assert contents(folder) == before


def test_kinds() -> None:
    for kind, builtin in [
        (slm.ConfigError, ValueError),
        (slm.FormatError, ValueError),
        (slm.DeviceError, RuntimeError),
        (slm.TrainingError, RuntimeError),
    ]:
        assert issubclass(kind, slm.Error) and issubclass(kind, builtin)
