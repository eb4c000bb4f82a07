"""What befalls a run from outside, in one process: damage, numbers that are none, full disks."""

import dataclasses
import json
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sage_jax.evaluate import EvalResult
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
