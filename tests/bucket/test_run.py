"""A run in a bucket, checkpoints and all, against the same run on a disk."""

import itertools
from pathlib import Path

import fake_run
import jax
import numpy as np
import pytest
from runs import StopAt, entries

from sage_jax import cli, models
from sage_jax import config as configs
from sage_jax.evaluate import EvalResult
from sage_jax.paths import as_path
from sage_jax.run import commands
from sage_jax.run.loop import train
from sage_jax.run.run_folder import RunFolder
from sage_jax.run.stop import Stopped, StopRequest

TINY = Path(__file__).parents[1] / "tiny.yaml"
OWN = {
    "warmup": {"steps": 2},
    "train": {"checkpoint_every": 1, "keep_checkpoints": 2},
}
PLACE = "gs://bucket/runs/tiny"


def weights(folder, config):
    return jax.tree.leaves(commands.load_trained(folder.path, config).weights)


@pytest.fixture(scope="module")
def both(bucket, tmp_path_factory):
    """(config, run on disk, run in the bucket that was stopped and went on)."""
    config = configs.override(configs.load(TINY), OWN)
    local = RunFolder(tmp_path_factory.mktemp("runs") / "tiny")
    train(config, local, StopRequest())
    remote = RunFolder(as_path(PLACE))
    with pytest.raises(Stopped):
        train(config, remote, StopAt(6))  # In training, past the base's evaluation.
    assert 0 < len(entries(remote)) < 4
    train(config, remote, StopRequest())
    return config, local, remote


def test_a_run_in_a_bucket_is_the_run_on_disk(both):
    config, local, remote = both
    assert entries(remote) == entries(local)
    for tag in ("base", "final"):
        assert EvalResult.load(remote.eval_file(tag)) == EvalResult.load(local.eval_file(tag))
    assert remote.samples_file(4).read_bytes() == local.samples_file(4).read_bytes()
    assert configs.load(remote.config_file) == config
    for a, b in zip(weights(remote, config), weights(local, config), strict=True):
        np.testing.assert_array_equal(a, b)


def test_only_the_newest_checkpoints_stay_and_say_they_are_whole(both, bucket):
    names = bucket.texts("bucket/runs/tiny/checkpoints")
    assert {name.split("/")[0] for name in names} == {"3", "4"}
    assert {"3/commit_success.txt", "4/commit_success.txt"} <= set(names)


def test_a_checkpoint_without_its_mark_is_passed_over(both, bucket):
    config, _, remote = both
    mark = "bucket/runs/tiny/checkpoints/4/commit_success.txt"
    kept = bucket.objects.pop(mark)
    try:
        assert commands.load_trained(remote.path, config).step == 3
    finally:
        bucket.objects[mark] = kept


def test_the_commands_take_a_bucket(both, bucket, capsys):
    config, _, remote = both
    for command in (
        ["eval", PLACE],
        ["sample", PLACE, "--count", "1"],
        ["report", PLACE],
        ["export", PLACE, "--out", "gs://bucket/out"],
    ):
        cli.main(command)
    printed = capsys.readouterr().out
    assert "trained - base" in printed
    assert "mean entropy" in printed
    assert f"{PLACE}/report/index.html" in printed
    assert "wrote gs://bucket/out" in printed
    exported = jax.tree.leaves(models.load("gs://bucket/out").params)
    for a, b in zip(exported, weights(remote, config), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.fixture(scope="module")
def fake_on_disk(tmp_path_factory):
    """A run of steps of a few numbers: (config, folder)."""
    config = configs.override(configs.load(TINY), OWN)
    folder = RunFolder(tmp_path_factory.mktemp("fake") / "tiny")
    fake_run.train(config, folder, StopRequest())
    return config, folder


@pytest.mark.parametrize(
    ("name", "written"),
    [("metrics.jsonl", 2), ("checkpoints/2/arrays/", 2), ("eval/final.json", 0)],
)
# Orbax closes its event loop at the first write that fails, and the others find it closed.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_bucket_that_is_lost_in_mid_run_ends_it_in_one_line_and_it_goes_on_once_it_is_back(
    fake_on_disk, bucket, tmp_path, monkeypatch, capsys, name, written
):
    config, local = fake_on_disk
    place, path = f"gs://bucket/lost/{name.split('/')[0]}", tmp_path / "tiny.yaml"
    path.write_text(configs.dump(config))
    writes = itertools.count()
    with monkeypatch.context() as patch:
        patch.setattr(
            bucket, "goes_before", lambda object: f"/{name}" in object and next(writes) == written
        )
        with pytest.raises(SystemExit) as left:
            fake_run.main(str(path), place)
    said = capsys.readouterr().err
    assert left.value.code == 1
    assert bucket.gone
    assert f"sage-jax: {place}" in said
    assert "403" in said
    assert "Traceback" not in said
    bucket.gone = False
    fake_run.main(str(path), place)
    fake_run.assert_same(RunFolder(as_path(place)), local)
