"""Model files: bit for bit, open to other readers and writers of safetensors, never too old."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import safetensors
import safetensors.numpy
import slm
from engine_cases import relative_error
from reference import reference

DATA = Path(__file__).with_name("data")
SIZES = [(1, 1, 1), (5, 7, 3), (33, 16, 2)]  # (E, N, L)


def make_model(size: tuple[int, ...]) -> slm.Model:
    return slm.Model(
        "seed-small", embed_dim=size[0], state_dim=size[1], num_layers=size[2], init="seed", seed=4
    )


def read_with_safetensors(path: Path) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    with safetensors.safe_open(path, framework="numpy") as file:
        return file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_save_and_load_bit_for_bit(size: tuple[int, ...], tmp_path: Path) -> None:
    model = make_model(size)
    model.save(tmp_path / "model.safetensors")
    loaded = slm.load(tmp_path / "model.safetensors")
    assert loaded.config == model.config
    assert list(loaded.parameters) == list(model.parameters)
    for name, values in model.parameters.items():
        assert loaded.parameters[name].tobytes() == values.tobytes(), name
    loaded.save(tmp_path / "again.safetensors")
    files = [(tmp_path / name).read_bytes() for name in ("model.safetensors", "again.safetensors")]
    assert files[0] == files[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "again.safetensors",
        "model.safetensors",
    ]


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_names_and_shapes(size: tuple[int, int, int], tmp_path: Path) -> None:
    expected = reference.shapes(*size)
    model = make_model(size)
    assert {name: w.shape for name, w in model.parameters.items()} == expected
    assert model.num_parameters == sum(rows * cols for rows, cols in expected.values())
    model.save(tmp_path / "model.safetensors")
    _, tensors = read_with_safetensors(tmp_path / "model.safetensors")
    assert {name: w.shape for name, w in tensors.items()} == expected


def test_safetensors_reads_our_file(tmp_path: Path) -> None:
    model = make_model((5, 7, 3))
    model.save(tmp_path / "model.safetensors")
    metadata, tensors = read_with_safetensors(tmp_path / "model.safetensors")
    for name, values in model.parameters.items():
        assert tensors[name].dtype == np.float32
        assert tensors[name].tobytes() == values.tobytes(), name
    assert metadata["slm.format"] == "1"
    config = json.loads(metadata["slm.config"])
    assert config == {
        "cell": "dense", "embed_dim": 5, "state_dim": 7, "num_layers": 3, "init": "seed",
        "residual": False, "norm": "none", "mlp_dim": 0, "tie_embeddings": False,
        "head_bias": False, "ngram_orders": [], "ngram_buckets": 16384, "ngram_dim": 0,
        "match_lengths": [], "match_span": 4096, "documents": False, "fixed_share": 0,
    }  # fmt: skip
    training = json.loads(metadata["slm.train_config"])
    assert training["schedule"] == "cosine" and training["batch_size"] == 32


def trained_model() -> slm.Model:
    """With every kind of tensor, and tables of which some rows have been updated, one has none."""
    model = slm.Model(
        "seed-small",
        cell="gated",
        embed_dim=8,
        state_dim=6,
        norm="rms",
        mlp_dim=5,
        ngram_orders=(2, 4, 8),
        ngram_buckets=256,
        ngram_dim=4,
        match_lengths=(3,),
        seed=4,
    )
    model.train("abc " * 500, steps=3, seq_len=4, batch_size=2)
    return model


def read_as_documented(tensors: dict[str, np.ndarray], name: str, num_rows: int) -> np.ndarray:
    values = tensors[name].astype(np.float32)
    if f"{name}.scale" in tensors:
        values *= tensors[f"{name}.scale"][:, None]
    if f"{name}.rows" not in tensors:
        return values
    table = np.zeros((num_rows, *values.shape[1:]), np.float32)
    table[tensors[f"{name}.rows"]] = values
    return table


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8"])
def test_exported_files(dtype: str, tmp_path: Path) -> None:
    model = trained_model()
    model.save(tmp_path / "model.safetensors", dtype=dtype)
    loaded = slm.load(tmp_path / "model.safetensors")
    assert loaded.config == model.config
    _, tensors = read_with_safetensors(tmp_path / "model.safetensors")
    parameters = model.parameters
    for name, values in parameters.items():
        back = loaded.parameters[name]
        assert np.array_equal(read_as_documented(tensors, name, len(values)), back), name
        largest = np.abs(values).max(axis=-1, keepdims=True)
        if dtype == "float32" or (dtype == "int8" and values.ndim == 1):
            assert back.tobytes() == values.tobytes(), name
        elif dtype == "float16":
            assert np.array_equal(back, values.astype(np.float16).astype(np.float32)), name
        else:
            assert (np.abs(back - values) <= largest / 254 * 1.0001).all(), name
    for n in (2, 4, 8):
        table = parameters[f"ngram.{n}.weight"]
        rows = tensors[f"ngram.{n}.weight.rows"]
        assert rows.dtype == np.uint32
        assert np.array_equal(rows, table.any(axis=1).nonzero()[0])
    assert 0 < len(tensors["ngram.2.weight.rows"]) < 10
    # From here on, the loaded values are exact.
    loaded.save(tmp_path / "again.safetensors")
    again = slm.load(tmp_path / "again.safetensors").parameters
    for name, back in loaded.parameters.items():
        assert again[name].tobytes() == back.tobytes(), name


def test_model_that_does_not_fit_float16(tmp_path: Path) -> None:
    model = make_model((5, 7, 3))
    model.set_parameters({"layers.1.B": np.full((7, 5), -70000.0)})
    with pytest.raises(slm.ConfigError, match=r"layers\.1\.B.*-70000.*float16"):
        model.save(tmp_path / "model.safetensors", dtype="float16")
    with pytest.raises(slm.ConfigError, match=r'"float32".*"float16".*"int8"'):
        model.save(tmp_path / "model.safetensors", dtype="F16")
    assert not list(tmp_path.iterdir())
    model.save(tmp_path / "model.safetensors", dtype="int8")


def test_safetensors_reads_a_checkpoint(tmp_path: Path) -> None:
    model = slm.Model("seed-small", embed_dim=8, state_dim=6, ngram_orders=(2, 3), ngram_buckets=64)
    model.train(
        "abc " * 500,
        steps=3,
        seq_len=4,
        batch_size=2,
        sampling="stream",
        checkpoint=tmp_path / "run.ckpt.safetensors",
    )
    _, tensors = read_with_safetensors(tmp_path / "run.ckpt.safetensors")
    updates = tensors["optimizer.m.ngram.2.weight"]
    assert updates.shape == tensors["optimizer.v.ngram.2.weight"].shape == (65536,)
    assert updates.max() == 3
    assert np.array_equal(tensors["ngram.2.weight.rows"], updates.nonzero()[0])
    assert tensors["stream.state"].shape == (2, 2, 6)
    assert tensors["stream.history"].shape == (2, 2)
    assert set(tensors["stream.history"].ravel()) <= {byte + 1 for byte in b"abc "}


def test_we_read_a_file_of_safetensors(tmp_path: Path) -> None:
    model = make_model((5, 7, 3))
    model.save(tmp_path / "model.safetensors")
    metadata, _ = read_with_safetensors(tmp_path / "model.safetensors")
    values = reference.random_parameters(5, 7, 3, np.random.default_rng(2))
    tensors = {name: w.astype(np.float32) for name, w in values.items()}
    safetensors.numpy.save_file(tensors, tmp_path / "other.safetensors", metadata=metadata)
    loaded = slm.load(tmp_path / "other.safetensors")
    assert loaded.config == model.config
    for name, expected in tensors.items():
        assert loaded.parameters[name].tobytes() == expected.tobytes(), name


def test_old_file_stays_readable() -> None:
    """dense.safetensors was written by version 0.1.0; its logits are those of the reference."""
    model = slm.load(DATA / "dense.safetensors")
    inputs = np.frombuffer(b"First Citizen:\n", np.uint8)
    expected = np.load(DATA / "dense-logits.npy")
    assert relative_error(model.logits(inputs[:, None])[:, 0], expected) <= 1e-5
