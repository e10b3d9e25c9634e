"""The quality benchmark: its figures are of the bytes they claim, its tables of the runs."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slm
from models import SIZE
from project import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))

import english_model
import quality
from quality import records, runs, samples, search, tables, texts

TINY = {**SIZE, "seq_len": 16, "batch_size": 4}
TEXT = np.frombuffer(b"the cat sat on the mat. " * 200, np.uint8)
CORPUS = texts.Corpus("shakespeare", TEXT[:3600], TEXT[3600:4200], TEXT[4200:])


def result(seed: int = 0, **fields: Any) -> dict[str, Any]:
    return {
        "kind": "run",
        "text": "books",
        "preset": "small",
        "overrides": {},
        "seconds": 60,
        "seconds_taken": 59.0,
        "seed": seed,
        "precision": "float32",
        "nats_per_byte": 1.25,
        "cut_nats_per_byte": 1.3,
        "int8_nats_per_byte": 1.26,
        "parameters": 2_000_000,
        "bytes_trained": 5_000_000,
        "float32_file_bytes": 8_000_000,
        "int8_file_bytes": 2_000_000,
        "cpu": "some CPU",
        "date": "2026-11-25T00:00:00+00:00",
        "isa": "avx2",
        "threads": 2,
        **fields,
    }


@pytest.mark.parametrize("for_search", [False, True])
def test_the_parts_of_shakespeare_are_its_text(for_search: bool) -> None:
    corpus = texts.corpus("shakespeare", for_search)
    parts = [corpus.validation, corpus.train, corpus.held_out]
    assert np.array_equal(np.concatenate(parts), slm.sample_text())
    assert len(corpus.held_out) == 111_540  # as docs/evaluation.md says of its last 10 %
    assert np.array_equal(corpus.whole_train, slm.sample_text()[:-111_540])
    assert len(corpus.validation) == (100_385 if for_search else 40_000)


def test_books_that_are_not_here_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(texts, "DATA", tmp_path)
    with pytest.raises(FileNotFoundError, match="--text shakespeare"):
        texts.corpus("books")


def test_a_run_tells_what_it_did() -> None:
    recipe = runs.Recipe("seed-small", TINY, steps=30, seed=3, threads=1)
    r = runs.run(recipe, CORPUS, adapt=True)
    assert json.loads(json.dumps(r))["curve"] == r["curve"]
    model, _ = runs.train(recipe, CORPUS.train, CORPUS.validation)
    assert r["nats_per_byte"] == model.score(CORPUS.held_out).nats_per_byte
    assert r["cut_nats_per_byte"] == model.score(CORPUS.validation).nats_per_byte
    assert r["adapted"] < r["nats_per_byte"] < 5
    assert r["int8_nats_per_byte"] == pytest.approx(r["nats_per_byte"], rel=0.05)
    assert r["int8_nats_per_byte"] != r["nats_per_byte"]
    assert (r["text"], r["seed"], r["steps"]) == ("shakespeare", 3, 30)
    assert r["precision"] == "float32"
    assert r["bytes_trained"] == 30 * 16 * 4
    assert r["parameters"] == model.num_parameters
    assert 4 * r["parameters"] < r["float32_file_bytes"]
    assert r["int8_file_bytes"] < r["float32_file_bytes"]
    assert r["config"]["embed_dim"] == SIZE["embed_dim"] and r["train_config"]["seq_len"] == 16
    assert r["curve"][-1][1] == 30 and r["curve"][-1][0] <= r["seconds_taken"]


def test_the_held_out_text_selects_nothing() -> None:
    """Another held-out text, another loss, but the same model."""
    recipe = runs.Recipe("seed-small", TINY, steps=20)
    other = texts.Corpus(CORPUS.name, CORPUS.train, CORPUS.validation, CORPUS.held_out[::-1].copy())
    a, b = runs.run(recipe, CORPUS), runs.run(recipe, other)
    assert a["nats_per_byte"] != b["nats_per_byte"]
    assert a["cut_nats_per_byte"] == b["cut_nats_per_byte"]
    assert [e[1:] for e in a["curve"]] == [e[1:] for e in b["curve"]]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"overrides": {"embed": 8}, "steps": 1}, "embed: a recipe overrides"),
        ({"overrides": {"seed": 8}, "steps": 1}, "seed: a recipe overrides"),
        ({}, "give seconds or steps"),
        ({"steps": 1, "seconds": 1.0}, "give seconds or steps"),
    ],
)
def test_refuses_a_recipe(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(slm.ConfigError, match=sentence):
        runs.Recipe("seed-small", **fields)


def test_search_scores_the_end_of_the_training_part(tmp_path: Path) -> None:
    path = tmp_path / "trials.json"
    path.write_text(json.dumps({"tiny": TINY, "idle": {**TINY, "learning_rate": 1e-9}}))
    trials = search.read_trials(path)
    lines = list(search.search(CORPUS, trials, "seed-small", steps=30, seed=1))
    assert [line["name"] for line in lines] == ["tiny", "idle"]
    assert lines[0]["loss"] + 0.5 < lines[1]["loss"] < 6
    model, _ = runs.train(runs.Recipe("seed-small", TINY, steps=30, seed=1), *CORPUS_PARTS)
    assert lines[0]["loss"] == model.score(CORPUS.validation).nats_per_byte
    path.write_text("[1]")
    with pytest.raises(ValueError, match="JSON object"):
        search.read_trials(path)


CORPUS_PARTS = (CORPUS.train, CORPUS.validation)


def test_records_come_back(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    assert records.read(path) == []
    for seed in range(2):
        records.append(path, result(seed))
    assert records.read(path) == [result(0), result(1)]


def test_a_group_is_seeds_and_the_latest_of_each() -> None:
    again = [result(0, nats_per_byte=9.0), result(0), result(1, nats_per_byte=1.2)]
    others = [result(seconds=100), result(threads=1), result(overrides={"embed_dim": 8})]
    others.append(result(precision="bf16"))
    del again[1]["precision"]  # the first runs do not tell it
    found = tables.groups([*again, *others, {"kind": "ppmd"}])
    assert sorted(len(g.runs) for g in found) == [1, 1, 1, 1, 2]
    (pair,) = (g for g in found if len(g.runs) == 2)
    assert pair.median("nats_per_byte") == pytest.approx(1.225)
    assert {g.label for g in found} == {"small", "small bf16", "small embed_dim=8"}


def test_the_cut_of_the_training_part_selects_the_run_of_a_budget() -> None:
    good = result(preset="small", cut_nats_per_byte=1.2, nats_per_byte=1.29)
    lucky = result(preset="nano", cut_nats_per_byte=1.3, nats_per_byte=1.2)
    long = result(seconds=70, seconds_taken=70.0, cut_nats_per_byte=1.0)
    found = tables.groups([good, lucky, long])
    budget = tables.Budget("books", 60)
    best = tables.best_within(budget, found)
    assert best is not None and best.runs == [good]
    assert tables.best_within(tables.Budget("shakespeare", 60), found) is None
    assert tables.best_within(tables.Budget("books", 60, dynamic=True), found) is None
    only = tables.best_within(tables.Budget("books", 60, preset="nano"), found)
    assert only is not None and only.runs == [lucky]
    wide = result(overrides={"embed_dim": 8}, cut_nats_per_byte=1.1)
    best = tables.best_within(budget, tables.groups([good, wide]))
    assert best is not None and best.label == "small embed_dim=8"


def test_tables_have_every_budget_and_run() -> None:
    ppmd = {"kind": "ppmd", "text": "books", "variant": "I", "order": 8, "memory": 1 << 30}
    ppmd |= {"bytes_trained": 0, "nats_per_byte": 1.432, "seconds_taken": 1.0}
    text = tables.tables([result(0, nats_per_byte=1.26), result(1, nats_per_byte=1.24), ppmd])
    rows = [line.split("|") for line in text.splitlines() if line.startswith("|")]
    assert all(len(row) == len(rows[0]) for row in rows[: len(tables.BUDGETS) + 2])
    assert "| books | 60 s | **1.250** | small | 2.0 | 59.0 (2) |" in text
    assert text.count("not run yet") == len(tables.BUDGETS) - 5  # those of books, 60 s and more
    assert "| books | PPMd I of order 8, 1024 MiB, adaptive, no training | 1.432 |" in text
    assert "| books | small | 60 | 59.0 | 1.250 | 1.240 to 1.260 (2) |" in text


def test_texts_go_between_markers(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    begin, end = "<!-- some: begin -->", "<!-- some: end -->"
    page.write_text(f"before\n{begin}\nold\n{end}\nafter\n")
    for _ in range(2):
        tables.write_between_markers(page, "some", "new\n")
        lines = [line for line in page.read_text().splitlines() if line]
        assert lines == ["before", begin, "new", end, "after"]
    with pytest.raises(ValueError, match="must have the lines <!-- other: begin -->"):
        tables.write_between_markers(page, "other", "new\n")


def test_samples() -> None:
    recipe = runs.Recipe("seed-small", TINY, steps=2)
    section = samples.section(recipe, CORPUS)
    assert section.startswith("After 0 s of shakespeare on ")
    assert section.count("```text\n") == samples.SAMPLES and section.count("\n```\n") == 5
    assert samples.printable("\n\na  \n```\nb\n") == "a\n'''\nb"


@pytest.mark.parametrize("variant", ["H", "I"])
def test_ppmd_adds_less_after_training(variant: str) -> None:
    pytest.importorskip("pyppmd")
    from quality.ppmd import compressed_size, ppmd

    first, after = ppmd(CORPUS, variant, trained=False), ppmd(CORPUS, variant, trained=True)
    alone = compressed_size(CORPUS.held_out.tobytes(), variant, 6, 256 << 20)
    assert first["nats_per_byte"] == alone * 8 * math.log(2) / len(CORPUS.held_out)
    assert after["nats_per_byte"] < first["nats_per_byte"] / 2
    assert after["bytes_trained"] == 4200


def test_nanogpt_scores_every_byte_once_and_learns() -> None:
    pytest.importorskip("torch")
    import torch
    from quality.nanogpt import curve, evaluate

    class Counting(torch.nn.Module):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            assert inputs.shape[1] <= 64
            return torch.zeros(*inputs.shape, 7)

    for stride in (32, 64):
        assert evaluate(Counting(), torch.arange(500) % 7, stride) == pytest.approx(math.log(7))
    *_, last = curve(CORPUS, steps=20, seed=0, every=10)
    assert last["step"] == 20 and last["nats_per_byte"] < 2.5


def test_plot(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from quality.plot import plot

    path = tmp_path / "new" / "quality.png"
    point = {"kind": "nanogpt", "text": "shakespeare", "step": 250, "seconds_taken": 12.0}
    changed = result(overrides={"embed_dim": 8})
    records = [result(preset="seed-small", seconds=s) for s in (60, 120)]
    rounded = result(preset="seed-small", precision="bf16")
    plot([*records, rounded, changed, point | {"nats_per_byte": 2.4}], path)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_training_curve(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    import training_curve

    assert training_curve.first_line("\nGood morrow,\nsweet lo") == "Good morrow,"
    losses = [(2.0, 3.2, 1.8), (4.0, 1.8, 1.6)]
    names = ("seconds", "train_loss", "validation_loss")
    evaluations = [{**dict(zip(names, e, strict=True)), "text": "a b c"} for e in losses]
    record = {"threads": 2, "cpu": "some CPU", "evaluations": evaluations}
    training_curve.draw(record, tmp_path / "new" / "training.png")
    assert (tmp_path / "new" / "training.png").read_bytes().startswith(b"\x89PNG")


def test_export_of_the_english_model(tmp_path: Path) -> None:
    model = runs.Recipe("seed-small", TINY, steps=1).model()
    history = model.train(CORPUS.train, steps=20, validation=CORPUS.validation, seq_len=16)
    losses = english_model.export(model, tmp_path, {"a text": CORPUS.held_out})
    exported = slm.load(tmp_path / "english.safetensors")
    own, written = losses["a text"]
    assert own == model.score(CORPUS.held_out).nats_per_byte
    assert written == exported.score(CORPUS.held_out).nats_per_byte != own
    text = english_model.note(model, history, CORPUS.train, CORPUS.validation, 1234, losses)
    assert f"| a text | {own:.4f} | {written:.4f} |" in text
    assert "1,234 bytes" in text and "3,600 bytes" in text and "20 steps" in text


def test_an_english_model_that_is_too_large_or_too_coarse_is_said() -> None:
    assert english_model.complaints(8_000_000, {"a": (1.0, 1.02)}) == []
    (large,) = english_model.complaints(8_000_001, {"a": (1.0, 1.0)})
    assert "8,000,001 bytes" in large
    (coarse,) = english_model.complaints(1, {"a": (1.0, 1.0), "b": (1.0, 1.03)})
    assert "on b the export costs 3.0%" in coarse


@pytest.mark.skipif(slm.bundled.bundled_model() is None, reason="this build has no bundled model")
def test_the_bundled_model_is_small() -> None:
    assert Path(slm.bundled.BUNDLED_MODEL).stat().st_size <= english_model.MAX_BYTES


def test_commands_and_their_files() -> None:
    main = ROOT / "benchmarks" / "quality.py"
    names: dict[str, Any] = {"__name__": "quality_main", "__file__": str(main)}
    exec(compile(main.read_text(encoding="utf-8"), main, "exec"), names)
    args = names["parser"]().parse_args(["run", "--embed-dim", "8", "--dropout", "auto"])
    assert args.results == records.RESULTS and args.embed_dim == 8 and args.dropout == "auto"
    assert names["parser"]().parse_args(["search", "x.json"]).results == records.SEARCH
    assert Path(quality.__file__).parent == records.RESULTS.parent
