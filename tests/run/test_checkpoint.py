"""Checkpoints that are damaged: found out, named, and passed over for the one before."""

import shutil
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sage_jax.run import manifest
from sage_jax.run.checkpoint import CheckpointError, Checkpoints

STEPS = (2, 4)


def tree(step):
    draw = np.random.default_rng(step)
    return {
        "kernel": jnp.asarray(draw.normal(size=(64, 33)).astype(np.float32)),
        "moments": {"count": jnp.asarray(step, jnp.int32), "mu": jnp.full((7,), 0.5 * step)},
    }


def restored(folder, *, set_aside=True) -> tuple[Any, list[str]]:
    """((step, tree, notes) or None, what was said)."""
    said = []
    checkpoints = Checkpoints(folder, keep=2)
    try:
        return checkpoints.restore_newest(tree(0), say=said.append, set_aside=set_aside), said
    finally:
        checkpoints.close()


def save(folder, steps):
    checkpoints = Checkpoints(folder, keep=2)
    for step in steps:
        checkpoints.save(step, tree(step), {"cursor": step})
    checkpoints.close()


def assert_is(found, step):
    assert found[0] == step
    assert found[2] == {"cursor": step}
    jax.tree.map(np.testing.assert_array_equal, found[1], tree(step))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "checkpoints"
    save(folder, STEPS)
    return folder


@pytest.fixture
def folder(whole, tmp_path):
    """A copy to be damaged."""
    return shutil.copytree(whole, tmp_path / "checkpoints")


def files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def damage(path, how, draw):
    data = bytearray(path.read_bytes())
    if how == "delete" or not data:
        path.unlink()
    elif how == "truncate":
        path.write_bytes(data[: draw.integers(len(data))])
    else:
        data[draw.integers(len(data))] ^= 1 << draw.integers(8)
        path.write_bytes(data)


def test_what_was_saved_comes_back_and_nothing_is_said(folder):
    found, said = restored(folder)
    assert_is(found, 4)
    assert not said


@pytest.mark.parametrize("seed", range(100))
def test_random_damage_is_never_taken_for_the_truth(folder, seed):
    draw = np.random.default_rng(seed)
    how = ("truncate", "flip", "delete")[seed % 3]
    newest = files(folder / "4")
    for place in draw.choice(len(newest), size=1 + seed % 2, replace=False):
        damage(newest[place], how, draw)
    found, said = restored(folder)
    # Where only marks beside the arrays are gone, the newest is still good; else the one before.
    assert_is(found, found[0])
    assert found[0] == 4 or (said and str(folder / "4") in said[0])
    if seed % 10 == 0:  # It goes on, past the step that was lost.
        save(folder, range(found[0] + 1, 6))
        assert_is(restored(folder)[0], 5)


@pytest.mark.parametrize("how", ["truncate", "flip", "delete"])
def test_every_file_of_the_arrays_is_held(folder, whole, how):
    """None of them is left out of the manifest."""
    names = [path.relative_to(whole) for path in files(whole / "4" / "arrays")]
    names += [path.relative_to(whole) for path in files(whole / "4" / "notes")]
    for name in names:
        damage(folder / name, how, np.random.default_rng(0))
        said = manifest.fault(folder / "4")
        assert said is not None
        assert name.relative_to("4").as_posix() in said
        shutil.copy(whole / name, folder / name)
    assert manifest.fault(folder / "4") is None


def test_none_whole_is_an_error_that_names_them_all(folder):
    for step in STEPS:
        damage(files(folder / str(step) / "arrays")[0], "flip", np.random.default_rng(step))
    before = {path: path.read_bytes() for path in files(folder)}
    with pytest.raises(CheckpointError, match=r"no checkpoint is whole \(4: .*; 2: .*\); put one"):
        restored(folder)
    assert {path: path.read_bytes() for path in files(folder)} == before


def test_no_checkpoint_at_all_is_none(tmp_path):
    assert restored(tmp_path / "checkpoints") == (None, [])


def test_one_that_lost_its_manifest_is_passed_over(folder):
    """It had it before it had its name, so that what took it may have taken more."""
    (folder / "4" / manifest.NAME).unlink()
    found, said = restored(folder)
    assert_is(found, 2)
    assert f"{manifest.NAME} or a file cannot be read" in said[0]


def test_looking_leaves_the_damaged_one_where_it_is_and_training_sets_it_aside(folder):
    damage(files(folder / "4" / "arrays")[0], "delete", np.random.default_rng(0))
    assert_is(restored(folder, set_aside=False)[0], 2)
    assert (folder / "4").is_dir()
    assert_is(restored(folder)[0], 2)
    assert not (folder / "4").exists()
    assert (folder / "damaged-4").is_dir()


def test_a_whole_one_of_another_model_is_refused_and_not_passed_over(folder):
    checkpoints = Checkpoints(folder, keep=2)
    try:
        with pytest.raises(CheckpointError, match="4: this checkpoint does not fit the model"):
            checkpoints.restore_newest({"other": jnp.zeros(3)}, say=print)
    finally:
        checkpoints.close()


def test_the_manifest_is_there_before_the_checkpoint_is(tmp_path, monkeypatch):
    """A kill between the two could otherwise leave one that nothing vouches for."""
    seen = []
    write = manifest.write
    monkeypatch.setattr(manifest, "write", lambda path: (seen.append(path.name), write(path)))
    save(tmp_path / "checkpoints", [1])
    assert len(seen) == 1
    assert seen[0].startswith("1.orbax-checkpoint-tmp")


def test_a_manifest_that_cannot_be_written_fails_the_save(tmp_path, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(manifest, "write", full)
    checkpoints = Checkpoints(tmp_path / "checkpoints", keep=2)
    checkpoints.save(1, tree(1), {})
    with pytest.raises(CheckpointError, match=r"1: cannot be written: OSError: .*No space left"):
        checkpoints.wait()
    monkeypatch.undo()
    assert restored(tmp_path / "checkpoints") == (None, [])
    save(tmp_path / "checkpoints", [1, 2])
    assert_is(restored(tmp_path / "checkpoints")[0], 2)
