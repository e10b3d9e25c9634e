"""Runs that are killed, and texts that are larger than memory should hold."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import slm

pytestmark = pytest.mark.slow

KILLS = 10

# Trains in a process of its own and says each step: a model with all that a checkpoint can hold,
# rows of n-grams and the state of streams. A checkpoint after every step makes it likely that a
# kill hits the writing of one.
RUN = """
import sys, slm
from pathlib import Path

folder = Path(sys.argv[1])
checkpoint = folder / "run.ckpt.safetensors"
model = slm.Model("nano", embed_dim=24, state_dim=40, seed=1)
model.train(
    slm.sample_text()[:50_000],
    steps=120,
    seq_len=48,
    batch_size=8,
    eval_every=25,
    checkpoint=checkpoint,
    checkpoint_seconds=0,
    resume=checkpoint.exists(),
    callback=lambda p: print(p.step, flush=True),
)
model.save(folder / "model.safetensors")
"""


def start(folder: Path) -> subprocess.Popen[bytes]:
    folder.mkdir(exist_ok=True)
    return subprocess.Popen([sys.executable, "-c", RUN, folder], stdout=subprocess.PIPE)


def finish(process: subprocess.Popen[bytes]) -> None:
    process.communicate()
    assert process.returncode == 0


def test_killed_at_ten_random_moments_is_no_interruption(tmp_path: Path) -> None:
    finish(start(tmp_path / "whole"))
    moments = random.Random(3)
    for _ in range(KILLS):
        process = start(tmp_path / "killed")
        assert process.stdout is not None
        for _ in range(moments.randint(1, 11)):
            assert process.stdout.readline()  # it is still training
        process.kill()
        process.communicate()
        assert process.returncode == -9
    finish(start(tmp_path / "killed"))

    whole = slm.load(tmp_path / "whole" / "model.safetensors").parameters
    killed = slm.load(tmp_path / "killed" / "model.safetensors").parameters
    for name, value in whole.items():
        np.testing.assert_array_equal(killed[name], value, err_msg=name)
    assert not list((tmp_path / "killed").glob("*-tmp"))


# The largest resident size of this process so far, in MiB.
MEMORY = """
import resource, slm, sys
from pathlib import Path

before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
model = slm.Model("seed-small", embed_dim=16, state_dim=16)
model.train(Path(sys.argv[1]), steps=50, seq_len=64, batch_size=32, learning_rate=1e-3)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_a_text_of_three_gigabytes_trains_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "large.txt"
    with path.open("wb") as file:
        file.truncate(3 << 30)  # sparse: it takes no room on the disk
    process = subprocess.run(
        [sys.executable, "-c", MEMORY, path], capture_output=True, text=True, check=True
    )
    # The pages of the text that were touched count too: windows, validation, fingerprint.
    assert int(process.stdout) < 300
