"""Files that earlier versions wrote load, mean what they meant, and resume."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import slm

DATA = Path(__file__).with_name("data")
FOLDERS = ["golden", "golden-before-documents"]
RECORDS = {name: json.loads((DATA / name / "expected.json").read_text("utf-8")) for name in FOLDERS}
((SENTENCE, REPEATS),) = {(record["text"], record["repeats"]) for record in RECORDS.values()}
TEXT = SENTENCE * REPEATS
#: What is known of each file, by its path in DATA.
EXPECTED = {
    f"{folder}/{name}": facts
    for folder, record in RECORDS.items()
    for name, facts in record["files"].items()
}
MODELS = [name for name in EXPECTED if "ckpt" not in name]
CHECKPOINTS = [name for name in EXPECTED if "ckpt" in name]
#: Former names of fields of a train config, which those files have.
RENAMED = {
    "final_rate": "min_lr_ratio",
    "ngram_rate": "table_lr_scale",
    "layer_dropout": "locked_dropout",
    "noise": "input_noise",
    "max_radius": "max_spectral_radius",
}


def renamed(fields: dict[str, object]) -> dict[str, object]:
    return {RENAMED.get(name, name): value for name, value in fields.items()}


def test_every_golden_file_is_tested() -> None:
    files = {path.relative_to(DATA).as_posix() for path in DATA.glob("golden*/*.safetensors")}
    assert files == {*MODELS, *CHECKPOINTS}


@pytest.mark.parametrize("name", MODELS)
def test_model_of_an_earlier_version(name: str, tmp_path: Path) -> None:
    expected = EXPECTED[name]
    model = slm.load(DATA / name)
    lists = {"ngram_orders": tuple, "match_lengths": tuple}
    config = {k: lists.get(k, lambda v: v)(v) for k, v in expected["config"].items()}
    # Fields that were added since then have their defaults.
    assert model.config == slm.Config(**config)
    assert model.train_config == slm.TrainConfig(**renamed(expected["train_config"]))
    assert model.score(TEXT[:500]).nats_per_byte == pytest.approx(
        expected["nats_per_byte"], rel=1e-4
    )
    model.save(tmp_path / "now.safetensors")
    written = (tmp_path / "now.safetensors").read_bytes()
    assert b"min_lr_ratio" in written
    assert not any(f'"{old}'.encode() in written.replace(b"\\", b"") for old in RENAMED)
    again = slm.load(tmp_path / "now.safetensors")
    assert again.train_config == model.train_config
    for parameter, values in model.parameters.items():
        np.testing.assert_array_equal(again.parameters[parameter], values)


@pytest.mark.filterwarnings("ignore::UserWarning")  # notes of a run by time, which depend on speed
@pytest.mark.parametrize("name", CHECKPOINTS)
def test_checkpoint_of_an_earlier_version(name: str, tmp_path: Path) -> None:
    expected = EXPECTED[name]
    checkpoint = tmp_path / Path(name).name
    shutil.copy(DATA / name, checkpoint)
    model = slm.Model("seed-small", **expected["config"], seed=3, device="cpu")
    options = {**expected["run"], **renamed(expected["train"]), "checkpoint": checkpoint}
    history = model.train(TEXT, resume=True, progress=False, **options)
    assert history.steps > expected["stopped_at"]
    if final := expected["final"]:  # of the same run without interruption
        assert (history.steps, history.best_step) == (final["steps"], final["best_step"])
        assert history.best_loss == pytest.approx(final["best_loss"], rel=1e-3)
        score = model.score(TEXT[:500])
        assert score.nats_per_byte == pytest.approx(final["nats_per_byte"], rel=1e-3)
