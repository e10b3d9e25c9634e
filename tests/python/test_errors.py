"""The error table: each bad input has its exception and its sentence, and leaves no trace."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import slm
from error_cases import PYTHON, TEXT, Case
from models import TINY
from slm.cli import main


@pytest.fixture(scope="module")
def model() -> slm.Model:
    return slm.Model(**TINY)


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
    monkeypatch.setattr("slm.bundled.BUNDLED_MODEL", str(tmp_path / "english.safetensors"))
    return tmp_path


def contents(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


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
    ("train text.txt --time 0s", 1, "seconds is 0.0, but must be a finite number above 0"),
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
    ("train text.txt --validation 1.5", 1, "validation is 1.5, but must be at least 0 and below 1"),
    ("train text.txt --validation=", 2, "0 trains without validation"),
    ("train text.txt --device tpu", 1, "tpu"),
    ("train text.txt --threads -2", 1, "threads"),
    ("train text.txt --seed -1", 1, "seed"),
    ("train text.txt --ngram-orders 2;3", 2, "no list such as 2,3,4"),
    ("train text.txt --ngram-orders 3,2", 1, "an entry of ngram_orders is 2"),
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
