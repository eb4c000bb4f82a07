"""What befalls a run from outside, in one process: damage, numbers that are none, full disks."""

import dataclasses
import errno
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sage_jax import cli
from sage_jax import config as configs
from sage_jax.evaluate import EvalResult
from sage_jax.rewards import VerifierPool
from sage_jax.rewards.process import WorkerProcess
from sage_jax.train import commands, loop, objective
from sage_jax.train.bad_steps import BadStepError
from sage_jax.train.checkpoint import CheckpointError
from sage_jax.train.loop import train
from sage_jax.train.run_folder import RunFolder
from sage_jax.train.stop import StopRequest


@pytest.fixture
def copied(undisturbed, tmp_path):
    """A finished run to be damaged."""
    config, whole = undisturbed
    return config, RunFolder(shutil.copytree(whole.path, tmp_path / "run")), whole


def arrays(folder, step):
    """The largest file of a checkpoint."""
    files = [p for p in (folder.checkpoints / str(step)).rglob("*") if p.is_file()]
    return max(files, key=lambda path: path.stat().st_size)


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("harm", [flip, lambda path: path.unlink()], ids=["flipped", "deleted"])
def test_a_run_goes_on_from_the_checkpoint_before_a_damaged_one(
    copied, assert_same_run, capsys, harm
):
    config, folder, whole = copied
    harm(arrays(folder, 4))
    folder.eval_file("final").unlink()
    train(config, folder, StopRequest())
    assert "checkpoints/4: damaged: arrays/" in capsys.readouterr().err
    assert_same_run(folder, whole, config)


def test_a_run_without_a_whole_checkpoint_is_refused_and_left_alone(copied):
    config, folder, whole = copied
    for step in (2, 4):
        flip(arrays(folder, step))
    with pytest.raises(CheckpointError, match="no checkpoint is whole"):
        train(config, folder, StopRequest())
    assert folder.metrics_file.read_bytes() == whole.metrics_file.read_bytes()
    assert EvalResult.load(folder.eval_file("final")).step == 4


def few(make_config, **train_section):
    """A short run of four steps with a checkpoint at each."""
    return make_config({
        "warmup": {"steps": 1},
        "train": {"steps": 4, "checkpoint_every": 1, **train_section},
        "eval": {"num_problems": 8, "num_samples": 2, "batch_prompts": 8},
    })  # fmt: skip


def entries(folder):
    return [json.loads(line) for line in folder.metrics_file.read_text().splitlines()]


def spoil_steps(monkeypatch, spoil):
    """Let `spoil` (state, metrics, step) change what steps give, as if they had come to it."""
    make_step = loop.make_step

    def made(*args):
        run = make_step(*args)

        def spoiled(state, step, cursor):
            state, metrics, played = run(state, step, cursor)
            return *spoil(state, metrics, step), played

        return spoiled

    monkeypatch.setattr(loop, "make_step", made)


def test_bad_steps_in_a_row_end_the_run_and_what_was_saved_is_sound(
    make_config, tmp_path, monkeypatch, capsys
):
    config, folder = few(make_config, max_bad_steps=2), RunFolder(tmp_path / "run")
    make_loss = objective.make_loss

    def odd(config):
        loss = make_loss(config)

        def spoiled(terms, *, step, key):
            mean, metrics = loss(terms, step=step, key=key)
            bad = jnp.where((step == 0) | (step >= 2), jnp.nan, 0.0)
            return dataclasses.replace(mean, sum=mean.sum + bad), metrics

        return spoiled

    monkeypatch.setattr(objective, "make_loss", odd)
    with pytest.raises(BadStepError, match=r"step 4: stopped after 2 bad steps in a row; .*: loss"):
        train(config, folder, StopRequest())
    assert [entry["updates/skipped"] for entry in entries(folder)] == [1, 0, 1, 1]
    assert [entry["loss"] is None for entry in entries(folder)] == [True, False, True, True]
    assert "step 1: loss is not finite; update skipped" in capsys.readouterr().err
    trained = commands.load_trained(folder.path, config)
    assert trained.step == 3
    assert int(trained.state.updates) == 1
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(trained.state))
    monkeypatch.undo()
    train(config, folder, StopRequest())  # From what was saved, with the fault gone.
    assert [entry["updates/skipped"] for entry in entries(folder)] == [1, 0, 1, 0]


def test_weights_that_are_no_numbers_end_the_run_and_are_not_saved(
    make_config, tmp_path, monkeypatch
):
    config, folder = few(make_config), RunFolder(tmp_path / "run")

    def spoil(state, metrics, step):
        leaves, shape = jax.tree.flatten(state)
        leaves[3] = leaves[3] * (jnp.inf if step == 2 else 1)
        return jax.tree.unflatten(shape, leaves), metrics

    spoil_steps(monkeypatch, spoil)
    with pytest.raises(BadStepError, match=r"step 3: weights\[.* is not finite; nothing was saved"):
        train(config, folder, StopRequest())
    assert commands.load_trained(folder.path, config).step == 2


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
NEEDED = ["metrics.jsonl", "sage_manifest.json", "final.json"]
MORE_NEEDED = ["config.yaml", "base.json"]


@needs_proc
@pytest.mark.parametrize(
    "name", [*NEEDED, *(pytest.param(n, marks=pytest.mark.slow) for n in MORE_NEEDED)]
)
def test_a_full_disk_ends_the_run_and_with_room_again_it_is_the_undisturbed_one(
    undisturbed, tmp_path, monkeypatch, assert_same_run, name
):
    config, whole = undisturbed
    folder = RunFolder(tmp_path / "run")
    shutil.copytree(whole.base, folder.base)  # The warm-up need not be made again.
    refused = full_disk(monkeypatch, name)
    with pytest.raises((OSError, CheckpointError), match="No space left on device"):
        train(config, folder, StopRequest())
    assert refused
    monkeypatch.undo()
    train(config, folder, StopRequest())
    assert_same_run(folder, whole, config)
    assert not [path for path in folder.path.rglob(".*") if path.is_file()]  # Nothing half-written.


# Bytes: less than the largest array takes, compressed, in whichever file TensorStore puts it, and
# more than the run's other files.
ROOM = "14000"

# Python ignores SIGXFSZ, so that a write beyond the limit fails as it does on a full disk. The
# limit is the command's alone: what measures coverage writes its file after it.
LIMITED = """
import resource, sys
from sage_jax import cli
before = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), before[1]))
try:
    cli.main(sys.argv[2:])
finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
"""


def test_arrays_that_find_no_room_in_mid_write_end_the_run_in_one_line(
    undisturbed, tmp_path, assert_same_run
):
    """No file may grow to the size of the largest array, so that a write of TensorStore fails."""
    config, whole = undisturbed
    folder, path = RunFolder(tmp_path / "run"), tmp_path / "tiny.yaml"
    shutil.copytree(whole.base, folder.base)
    path.write_text(configs.dump(config))
    command = ["train", str(path), "--run_dir", str(folder.path)]
    # Compiled programs are read but none is kept: JAX would leave one cut short for later runs.
    keep_none = {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "1e9"}
    left = subprocess.run(
        [sys.executable, "-c", LIMITED, ROOM, *command],
        capture_output=True,
        text=True,
        env=os.environ | keep_none,
    )
    assert left.returncode == 1
    assert "Traceback" not in left.stderr
    assert f"sage-jax: {folder.checkpoints / '2'}: cannot be written" in left.stderr
    assert "too large" in left.stderr
    assert not [path for path in folder.checkpoints.iterdir() if path.name.isdigit()]
    cli.main(command)
    assert_same_run(folder, whole, config)
    assert {path.name for path in folder.checkpoints.iterdir()} == {"2", "4"}


@needs_proc
def test_samples_that_cannot_be_written_are_told_and_training_goes_on(
    undisturbed, tmp_path, monkeypatch, assert_same_run, capsys
):
    config, whole = undisturbed
    folder = RunFolder(tmp_path / "run")
    shutil.copytree(whole.base, folder.base)
    full_disk(monkeypatch, "/samples/")
    train(config, folder, StopRequest())
    assert "step-000001.jsonl: not written ([Errno 28]" in capsys.readouterr().err
    assert not list((folder.path / "samples").glob("*"))
    assert_same_run(folder, whole, config)


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


def answering(monkeypatch):
    """Let every completion end in an answer that only a worker can judge, right for odd lengths."""
    submit = VerifierPool.submit

    def ended(self, completion, gold, question=""):
        if not question:  # The check of the golds.
            return submit(self, completion, gold)
        text = rf"{completion} \boxed{{x + {gold} + {len(completion) % 2 - 1}}}"
        return submit(self, text, f"{gold} + x", question)

    monkeypatch.setattr(VerifierPool, "submit", ended)


@pytest.mark.slow
def test_verifier_workers_that_are_killed_change_nothing(
    make_words_config, tmp_path, monkeypatch, assert_same_run
):
    config = make_words_config()
    whole, folder = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "run")
    answering(monkeypatch)
    train(config, whole, StopRequest())
    assert {entry["reward"] for entry in entries(whole)} - {0.0, 1.0}
    ask, asked = WorkerProcess.ask, itertools.count()

    def killed_before(self, question, *, deadline_s):
        if next(asked) % 3 == 0:
            os.kill(self.pid, signal.SIGKILL)
        return ask(self, question, deadline_s=deadline_s)

    monkeypatch.setattr(WorkerProcess, "ask", killed_before)
    train(config, folder, StopRequest())
    assert next(asked) > 6
    assert_same_run(folder, whole, config)
