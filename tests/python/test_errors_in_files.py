"""Model files that are damaged are refused with what is wrong with them and where."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slm


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
    ("slm.train_config", lambda h: h["__metadata__"].pop("slm.train_config")),
    ("embed_dim", config(embed_dim=0)),
    ("embed_dim", config(embed_dim=-1)),
    ("embed_dim", config(embed_dim=2**62)),
    ("embed_dim", config(embed_dim=1e300)),
    ("embed_dim", config(embed_dim="4")),
    ("embedding.weight|layers.0", config(embed_dim=5)),
    ("layers", config(num_layers=3)),
    ("layers.1", config(num_layers=1)),
    ("cell", config(cell="gru")),
    ("color", config(color=1)),
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
