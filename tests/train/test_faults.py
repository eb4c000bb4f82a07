"""What befalls a run from outside, in one process: damage, numbers that are none, full disks."""

import shutil

import pytest

from sage_jax.evaluate import EvalResult
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
