"""Training runs from Python: what they report, exceptions, resuming, notes and Ctrl-C."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slm
from models import TINY

TEXT = b"the quick brown fox jumps over the lazy dog\n" * 100


def test_train_reports_every_step() -> None:
    model = slm.Model(**TINY)
    seen: list[slm.Progress] = []
    history = model.train(TEXT, steps=20, eval_every=8, callback=seen.append, learning_rate=0.02)
    assert [p.step for p in seen] == list(range(1, 21)) and all(p.steps == 20 for p in seen)
    assert [p.step for p in seen if p.evaluation] == [8, 16] or seen[-1].evaluation
    assert [e.step for e in history.evaluations] == [8, 16, 20]
    assert history.steps == 20 and not history.stopped
    assert history.best_loss == min(e.validation_loss for e in history.evaluations)
    assert history.config.learning_rate == 0.02 and model.last_run == history.config
    assert model.score(TEXT).nats_per_byte < slm.Model(**TINY).score(TEXT).nats_per_byte


def test_training_leaves_the_train_config_as_it_was(tmp_path: Path) -> None:
    model = slm.Model(**TINY)
    given = model.train_config
    assert model.last_run is None
    with pytest.warns(UserWarning, match="the window is 9 bytes instead of 128"):
        short = model.train("hello world", steps=1, dropout="auto")
    slm.Trainer(model, learning_rate=0.5)
    assert model.train_config == given and model.last_run == short.config
    assert short.config.seq_len == 9 and short.config.steps == 1
    assert short.config.dropout > 0
    assert model.train(TEXT, steps=2).config.seq_len == given.seq_len

    model.train_config = chosen = dataclasses.replace(given, learning_rate=0.02, steps=3)
    history = model.train(TEXT)
    assert history.steps == 3 and history.config.learning_rate == 0.02
    model.save(tmp_path / "m.safetensors")
    loaded = slm.load(tmp_path / "m.safetensors")
    assert loaded.train_config == chosen and loaded.last_run == history.config
    with pytest.raises(slm.ConfigError, match="steps is 0"):
        model.train_config = dataclasses.replace(given, steps=0)
    with pytest.raises(TypeError, match="train_config must be a TrainConfig, got dict"):
        model.train_config = {}  # type: ignore[assignment]
    assert model.train_config == chosen


def test_callback_stops_on_false_alone() -> None:
    model = slm.Model(**TINY)
    assert not model.train(TEXT, steps=3, callback=lambda p: None).stopped
    history = model.train(TEXT, steps=9, callback=lambda p: p.step < 4)
    assert history.stopped and history.steps == 4


def test_callback_may_use_the_model() -> None:
    model = slm.Model(**TINY)
    samples: list[str] = []
    model.train(TEXT, steps=3, callback=lambda p: samples.append(model.generate("a", 5, seed=1)))
    assert len(samples) == 3


def test_exceptions_in_callbacks_pass_through(tmp_path: Path) -> None:
    model, checkpoint = slm.Model(**TINY), tmp_path / "c.safetensors"

    def fail(p: slm.Progress) -> None:
        if p.step == 3:
            raise LookupError("of my own")

    with pytest.raises(LookupError, match="of my own"):
        model.train(TEXT, steps=9, callback=fail, checkpoint=checkpoint)
    steps: list[int] = []
    model.train(
        TEXT, steps=9, checkpoint=checkpoint, resume=True, callback=lambda p: steps.append(p.step)
    )
    assert steps[0] == 4 and steps[-1] == 9


def test_resume_is_no_interruption(tmp_path: Path) -> None:
    options: dict[str, Any] = {"steps": 12, "eval_every": 5, "seed": 3}
    whole = slm.Model(**TINY)
    whole.train(TEXT, **options)
    options["checkpoint"] = tmp_path / "c.safetensors"
    slm.Model(**TINY).train(TEXT, **options, callback=lambda p: p.step < 7)
    resumed = slm.Model(**TINY, seed=99)
    resumed.train(TEXT, **options, resume=True)
    for name, value in whole.parameters.items():
        np.testing.assert_array_equal(resumed.parameters[name], value)


def test_resume_with_another_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    slm.Model(**TINY).train(TEXT, steps=2, checkpoint=path)
    with pytest.raises(slm.TrainingError, match="text"):
        slm.Model(**TINY).train(TEXT + b"!", steps=2, checkpoint=path, resume=True)
    with pytest.raises(slm.TrainingError, match="learning_rate"):
        slm.Model(**TINY).train(TEXT, steps=2, checkpoint=path, resume=True, learning_rate=0.5)
    with pytest.raises(slm.TrainingError, match="state_dim"):
        model = slm.Model(**{**TINY, "state_dim": 9})
        model.train(TEXT, steps=2, checkpoint=path, resume=True)


def test_validation_kinds() -> None:
    model = slm.Model(**TINY)
    assert np.isnan(model.train(TEXT, steps=1, validation=None).evaluations[-1].validation_loss)
    history = model.train(TEXT, steps=1, validation="to be validated on")
    assert history.best_loss == pytest.approx(model.score("to be validated on").nats_per_byte)


def test_notes_are_warnings_and_reported_once() -> None:
    """Also one that comes after the last step, which no callback gets."""
    model, reported = slm.Model(**TINY), list[str]()

    def stop(progress: slm.Progress) -> bool:
        reported.extend(progress.notes)
        return progress.step < 27

    options: dict[str, Any] = {"validation": b"\xff\xfe", "learning_rate": 0.3, "eval_every": 5}
    with pytest.warns(UserWarning) as warned:
        history = model.train(b"to be or not to be", steps=30, **options, callback=stop)
    assert history.config.seq_len == 18
    expected = ["window", "best at step", "above ln 256 = 5.5452"]
    assert len(history.notes) == 3
    assert all(part in note for part, note in zip(expected, history.notes, strict=True))
    assert reported == history.notes[:1]
    assert [str(warning.message) for warning in warned] == history.notes
    assert {warning.filename for warning in warned} == {__file__}


def test_a_run_that_ends_early_says_so() -> None:
    def slower(progress: slm.Progress) -> None:
        if progress.seconds > 0.25:  # when the plan is fixed
            time.sleep(0.3)

    with pytest.warns(UserWarning, match="time is up"):
        history = slm.Model(**TINY).train(TEXT, seconds=1, callback=slower)
    assert history.steps < history.config.steps


def test_diverging_is_an_error_that_keeps_the_weights_finite() -> None:
    model = slm.Model(**TINY)
    with pytest.raises(slm.TrainingError, match="finite"):
        model.train(TEXT, steps=50, learning_rate=1e30, warmup_steps=0, clip_norm=0)
    assert all(np.isfinite(w).all() for w in model.parameters.values())


INTERRUPTED = """
import os, signal, sys, threading, time, slm
model = slm.Model("seed", threads=1)
stopped_at = []
def press() -> None:
    stopped_at.append(time.monotonic())
    os.kill(os.getpid(), signal.SIGINT)
threading.Timer(1.0, press).start()
try:
    {call}
    print("never interrupted")
except KeyboardInterrupt:
    print(time.monotonic() - stopped_at[0])
"""


@pytest.mark.parametrize(
    "call",
    [
        "model.train(slm.sample_text(), checkpoint=sys.argv[1])",
        "model.score(slm.sample_text())",
        "model.score_many([b'a line of a log'] * 500_000)",
        "model.generate('', 10**9)",
        "list(model.stream('', 10**9))",
        "slm.Trainer(model).step(*[slm.sample_text()[i:i + 2**14].reshape(-1, 8) for i in (0, 8)])",
    ],
)
def test_ctrl_c_stops_long_calls(call: str, tmp_path: Path) -> None:
    checkpoint = tmp_path / "c.safetensors"
    program = INTERRUPTED.format(call=call)
    result = subprocess.run(
        [sys.executable, "-c", program, checkpoint], capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 0, result.stderr
    assert checkpoint.exists() == ("checkpoint" in call)


DAEMON = """
import threading, slm
training = threading.Event()
model = slm.Model("seed-small", embed_dim=16, state_dim=16)
threading.Thread(
    target=lambda: model.train(
        slm.sample_text(), steps=10**9, validation=None, callback=lambda p: training.set()
    ),
    daemon=True,
).start()
training.wait()
print("the end", flush=True)
"""


def test_python_may_end_while_a_thread_trains() -> None:
    for _ in range(3):
        result = subprocess.run([sys.executable, "-c", DAEMON], capture_output=True, text=True)
        assert (result.returncode, result.stdout, result.stderr) == (0, "the end\n", "")


def test_warnings_and_progress(capsys: pytest.CaptureFixture[str]) -> None:
    model = slm.Model(**TINY)
    model.train(TEXT, steps=4, eval_every=2)
    assert capsys.readouterr() == ("", "")
    model.train(TEXT, steps=4, eval_every=2, progress=True)
    out, err = capsys.readouterr()
    assert out == "" and len(err.splitlines()) == 2
    assert err.startswith("step 2/4  loss ") and "validation" in err


def test_notes_can_be_silenced(capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        slm.Model(**TINY).train(b"short", steps=1, validation=None, progress=False)
    assert capsys.readouterr() == ("", "")


def test_signal_handlers_are_left_alone() -> None:
    before = signal.getsignal(signal.SIGINT)
    slm.Model(**TINY).train(TEXT, steps=1)
    assert signal.getsignal(signal.SIGINT) is before and os.getpid() > 0
