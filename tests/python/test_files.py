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
def test_names_and_shapes(size: tuple[int, ...], tmp_path: Path) -> None:
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
    }  # fmt: skip
    training = json.loads(metadata["slm.training"])
    assert training["schedule"] == "cosine" and training["batch_size"] == 32


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
