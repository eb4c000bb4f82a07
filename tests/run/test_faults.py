"""What befalls a run from outside, in one process: damage, numbers that are none, full disks."""

import dataclasses
import errno
import functools
import itertools
import math
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import fake_run
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fake_run import assert_same, newest, train
from runs import entries

from sage_jax import cli
from sage_jax import config as configs
from sage_jax.evaluate import EvalResult
from sage_jax.rewards import VerifierPool
from sage_jax.rewards.process import WorkerProcess
from sage_jax.run.bad_steps import BadStepError
from sage_jax.run.checkpoint import CheckpointError
from sage_jax.run.run_folder import RunFolder
from sage_jax.run.stop import StopRequest


@pytest.fixture(scope="module")
def whole(make_config, tmp_path_factory):
    """A run of such steps that nothing befell: (config, folder)."""
    config, folder = make_config(), RunFolder(tmp_path_factory.mktemp("runs") / "whole")
    train(config, folder, StopRequest())
    return config, folder


@pytest.fixture
def copied(whole, tmp_path):
    """A finished run to be damaged."""
    config, folder = whole
    return config, RunFolder(shutil.copytree(folder.path, tmp_path / "run")), folder


def arrays(folder, step):
    """The largest file of a checkpoint."""
    files = [p for p in (folder.checkpoints / str(step)).rglob("*") if p.is_file()]
    return max(files, key=lambda path: path.stat().st_size)


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("harm", [flip, lambda path: path.unlink()], ids=["flipped", "deleted"])
def test_a_run_goes_on_from_the_checkpoint_before_a_damaged_one(copied, capsys, harm):
    config, folder, whole = copied
    harm(arrays(folder, 4))
    folder.eval_file("final").unlink()
    train(config, folder, StopRequest())
    assert "checkpoints/4: damaged: arrays/" in capsys.readouterr().err
    assert_same(folder, whole)


def test_a_run_without_a_whole_checkpoint_is_refused_and_left_alone(copied):
    config, folder, whole = copied
    for step in (2, 4):
        flip(arrays(folder, step))
    with pytest.raises(CheckpointError, match="no checkpoint is whole"):
        train(config, folder, StopRequest())
    assert folder.metrics_file.read_bytes() == whole.metrics_file.read_bytes()
    assert EvalResult.load(folder.eval_file("final")).step == 4


def spoiled(spoil):
    """Opens a run whose steps give what `spoil` (state before, state, metrics, step) makes."""

    def take_step(state, step, cursor):
        taken = fake_run.take_step(state, step, cursor)
        after, metrics = spoil(state, taken.state, taken.metrics, step)
        return taken._replace(state=after, metrics=metrics)

    return functools.partial(fake_run.opens, step=take_step)


def test_bad_steps_in_a_row_end_the_run_and_what_was_saved_is_sound(
    make_config, tmp_path, monkeypatch, capsys
):
    """Steps whose loss is no number leave the state as it was, see test_bad_steps."""
    config = make_config({"train": {"checkpoint_every": 1, "max_bad_steps": 2}})
    folder = RunFolder(tmp_path / "run")

    def odd(before, after, metrics, step):
        if step == 1:
            return after, metrics
        return before, metrics | {"loss": math.nan, "updates/skipped": 1.0}

    with pytest.raises(BadStepError, match=r"step 4: stopped after 2 bad steps in a row; .*: loss"):
        train(config, folder, StopRequest(), opens=spoiled(odd))
    assert [entry["updates/skipped"] for entry in entries(folder)] == [1, 0, 1, 1]
    assert [entry["loss"] is None for entry in entries(folder)] == [True, False, True, True]
    assert "step 1: loss is not finite; update skipped" in capsys.readouterr().err
    step, state = newest(folder)
    assert (step, int(state.updates)) == (3, 1)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state))
    train(config, folder, StopRequest())  # From what was saved, with the fault gone.
    assert [entry["updates/skipped"] for entry in entries(folder)] == [1, 0, 1, 0]


def test_weights_that_are_no_numbers_end_the_run_and_are_not_saved(
    make_config, tmp_path, monkeypatch
):
    config = make_config({"train": {"checkpoint_every": 1}})
    folder = RunFolder(tmp_path / "run")

    def spoil(before, after, metrics, step):
        factor = jnp.float32(jnp.inf if step == 2 else 1)
        return dataclasses.replace(after, trained={"w": factor * after.trained["w"]}), metrics

    with pytest.raises(BadStepError, match=r"step 3: weights\[.* is not finite; nothing was saved"):
        train(config, folder, StopRequest(), opens=spoiled(spoil))
    assert newest(folder)[0] == 2


def full_disk(monkeypatch, name):
    """Let every write whose path holds `name` find the disk full; returns what was refused."""
    refused = []
    fsync = os.fsync

    def full(handle):
        path = os.readlink(f"/proc/self/fd/{handle}")
        if name in path:
            refused.append(path)
            raise OSError(errno.ENOSPC, "No space left on device", path)
        fsync(handle)

    monkeypatch.setattr(os, "fsync", full)
    return refused


needs_proc = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")


@needs_proc
@pytest.mark.parametrize(
    "name", ["config.yaml", "base.json", "metrics.jsonl", "sage_manifest.json", "final.json"]
)
def test_a_full_disk_ends_the_run_and_with_room_again_it_is_the_undisturbed_one(
    whole, tmp_path, monkeypatch, name
):
    config, undisturbed = whole
    folder = RunFolder(tmp_path / "run")
    with monkeypatch.context() as patch:
        refused = full_disk(patch, name)
        with pytest.raises((OSError, CheckpointError), match="No space left on device"):
            train(config, folder, StopRequest())
        assert refused
    train(config, folder, StopRequest())
    assert_same(folder, undisturbed)
    assert not [path for path in folder.path.rglob(".*") if path.is_file()]  # Nothing half-written.


# Bytes: less than the largest array takes, compressed, in whichever file TensorStore puts it, and
# more than the run's other files.
ROOM = "12000"

# Python ignores SIGXFSZ, so that a write beyond the limit fails as it does on a full disk. The
# limit is the command's alone: what measures coverage writes its file after it.
LIMITED = """
import resource, sys
sys.path.insert(0, sys.argv[1])
import fake_run
before = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), before[1]))
try:
    fake_run.main(*sys.argv[3:])
finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
"""


def test_arrays_that_find_no_room_in_mid_write_end_the_run_in_one_line(whole, tmp_path):
    """No file may grow to the size of the largest array, so that a write of TensorStore fails."""
    config, undisturbed = whole
    folder, path = RunFolder(tmp_path / "run"), tmp_path / "tiny.yaml"
    path.write_text(configs.dump(config))
    command = [str(path), str(folder.path)]
    tests = str(Path(fake_run.__file__).parent)
    # Compiled programs are read but none is kept: JAX would leave one cut short for later runs.
    keep_none = {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "1e9"}
    left = subprocess.run(
        [sys.executable, "-c", LIMITED, tests, ROOM, *command],
        capture_output=True,
        text=True,
        env=os.environ | keep_none,
    )
    assert left.returncode == 1
    assert "Traceback" not in left.stderr
    assert f"sage-jax: {folder.checkpoints / '2'}: cannot be written" in left.stderr
    assert "too large" in left.stderr
    assert not [path for path in folder.checkpoints.iterdir() if path.name.isdigit()]
    fake_run.main(*command)
    assert_same(folder, undisturbed)
    assert {path.name for path in folder.checkpoints.iterdir()} == {"2", "4"}


@needs_proc
def test_samples_that_cannot_be_written_are_told_and_training_goes_on(
    whole, tmp_path, monkeypatch, capsys
):
    config, undisturbed = whole
    folder = RunFolder(tmp_path / "run")
    with monkeypatch.context() as patch:
        full_disk(patch, "/samples/")
        train(config, folder, StopRequest())
    assert "step-000001.jsonl: not written ([Errno 28]" in capsys.readouterr().err
    assert not list((folder.path / "samples").glob("*"))
    assert_same(folder, undisturbed)


def test_the_command_says_it_in_one_line(tmp_path, make_config, monkeypatch, capsys):
    """A folder on a file system that is mounted for reading."""
    config = tmp_path / "tiny.yaml"
    config.write_text(configs.dump(make_config()))

    def read_only(self, *_, **__):
        raise OSError(errno.EROFS, "Read-only file system", str(self))

    monkeypatch.setattr(type(tmp_path), "mkdir", read_only)
    with pytest.raises(SystemExit) as caught:
        cli.main(["train", str(config), "--run_dir", str(tmp_path / "run")])
    assert caught.value.code == 1
    said = capsys.readouterr().err
    assert said == f"sage-jax: [Errno 30] Read-only file system: '{tmp_path / 'run'}'\n"


def test_verifier_workers_that_are_killed_change_no_verdict(monkeypatch):
    # Right for every second one, by answers that only a worker can judge.
    pairs = [(rf"\boxed{{x + {place}}}", f"{place - place % 2} + x") for place in range(12)]
    with VerifierPool(num_workers=1) as pool:
        undisturbed = [verdict.reason for verdict in pool.score(pairs)]
        assert undisturbed == ["correct", "wrong"] * 6
        ask, asked = WorkerProcess.ask, itertools.count()

        def killed_before(self, question, *, deadline_s):
            if next(asked) % 3 == 0:
                os.kill(self.pid, signal.SIGKILL)
            return ask(self, question, deadline_s=deadline_s)

        monkeypatch.setattr(WorkerProcess, "ask", killed_before)
        assert [verdict.reason for verdict in pool.score(pairs)] == undisturbed
        assert next(asked) > len(pairs)
