"""The loop: files, resuming, arms, and text tasks end to end on tiny models."""

import json
import os
import signal
import subprocess
import sys

import held
import jax
import numpy as np
import pytest
import yaml
from runs import StopAt, entries

from sage_jax import config as configs
from sage_jax import models
from sage_jax.config import ConfigError
from sage_jax.data import DataError
from sage_jax.evaluate import EvalResult, read_runs, write_report
from sage_jax.run import commands
from sage_jax.run.arms import train_arms
from sage_jax.run.checkpoint import Checkpoints
from sage_jax.run.console import warn
from sage_jax.run.exporting import Asked, export_run
from sage_jax.run.loop import train
from sage_jax.run.run_folder import RunFolder
from sage_jax.run.stop import Stopped, StopRequest
from sage_jax.run.warmup import open_and_warm_up


def lines(folder):
    return [json.loads(line) for line in folder.metrics_file.read_text().splitlines()]


def weights(folder, config):
    """All arrays of the newest checkpoint."""
    trained = commands.load_trained(folder.path, config)
    return jax.tree.leaves(trained.weights)


def test_a_run_leaves_everything_behind(undisturbed):
    config, folder = undisturbed
    assert [entry["step"] for entry in lines(folder)] == [1, 2, 3, 4]
    last = lines(folder)[-1]
    for name in ("reward", "pass@1", "kl", "entropy", "q/mean", "q/min", "q/max", "q/above_one",
                 "clip/low", "clip/high", "length/mean", "truncated", "groups/zero_variance",
                 "loss", "grad_norm", "learning_rate", "seconds/step", "tokens_per_s/step",
                 "memory/peak_bytes"):  # fmt: skip
        assert np.isfinite(last[name]), name
    assert last["learning_rate"] == pytest.approx(1e-3)
    base, final = (EvalResult.load(folder.eval_file(tag)) for tag in ("base", "final"))
    assert (base.step, final.step, base.ids) == (0, 4, final.ids)
    sample = json.loads(folder.samples_file(4).read_text().splitlines()[0])
    assert sample["prompt"].count(" ") == 5
    assert "".join(sample["tokens"]) == sample["completion"]
    figures = [sample[name] for name in ("entropies", "logps", "ref_logps", "q")]
    assert {len(one) for one in figures} == {len(sample["tokens"])}
    assert np.isfinite(np.array(figures, float)).all()
    # The step before it has moved the policy, and branch's q follows from the entropy.
    assert sample["logps"] != sample["ref_logps"]
    shaped = 1 + 0.3 * np.maximum(np.array(sample["entropies"]) - 1.2, 0)
    np.testing.assert_allclose(sample["q"], np.clip(shaped, 0.6, 1.4), atol=2e-4)
    assert isinstance(sample["advantages"], float)
    assert configs.load(folder.config_file) == config


def test_a_finished_run_is_left_as_it_is(undisturbed):
    config, folder = undisturbed
    before = {p: p.stat().st_mtime_ns for p in folder.path.rglob("*.json*")}
    train(config, folder, StopRequest())
    after = {p: p.stat().st_mtime_ns for p in folder.path.rglob("*.json*")}
    assert {p for p in before if before[p] != after[p]} <= {folder.metrics_file}


def test_a_stopped_run_goes_on_to_the_same_bits(undisturbed, tmp_path):
    config, whole = undisturbed
    folder = RunFolder(tmp_path / "tiny")
    for looks in (3, 6):  # Once in the warm-up, once in training, past the base's evaluation.
        with pytest.raises(Stopped):
            train(config, folder, StopAt(looks))
    assert 0 < len(lines(folder)) < 4
    train(config, folder, StopRequest())
    assert entries(folder) == entries(whole)
    for a, b in zip(weights(folder, config), weights(whole, config), strict=True):
        np.testing.assert_array_equal(a, b)
    left, right = (EvalResult.load(f.eval_file("final")) for f in (folder, whole))
    assert left == right


def test_another_config_in_the_folder_is_refused(undisturbed):
    config, folder = undisturbed
    other = configs.override(config, {"loss": {"kl_coef": 0.5}})
    with pytest.raises(ConfigError, match=r"loss\.kl_coef: 0\.05 there, 0\.5 now"):
        train(other, folder, StopRequest())


def test_what_may_change_does_not_stop_a_run(undisturbed):
    config, folder = undisturbed
    folder.refuse_drift(configs.override(config, {"train": {"checkpoint_every": 3}}))


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_bits(undisturbed, tmp_path):
    config, whole = undisturbed
    path, folder = tmp_path / "tiny.yaml", RunFolder(tmp_path / "run")
    path.write_text(configs.dump(config))
    command = [sys.executable, held.__file__, "train", str(path), "--run_dir", str(folder.path)]
    child = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=os.environ | {"HOLD_AT": f"3:{tmp_path}"},
    )  # fmt: skip
    held.wait_until_held(tmp_path, [child])
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    assert entries(folder) == entries(whole)
    assert EvalResult.load(folder.eval_file("final")) == EvalResult.load(whole.eval_file("final"))


def test_a_run_that_never_fitted_leaves_no_folder(make_config, tmp_path):
    folder = RunFolder(tmp_path / "run")
    odd = make_config({"mesh": {"data": 4}, "rollout": {"num_prompts": 2}})
    with pytest.raises(ConfigError, match="num_prompts 2 is not divisible by the 4 devices"):
        train(odd, folder, StopRequest())
    assert not folder.exists()


@pytest.mark.parametrize(
    ("arms", "message"),
    [
        ({"base": {}}, "arms.base: this name is taken"),
        ({"rates": {}}, "arms.rates: this name is taken"),
        ({"a": {"seed": 3}}, "so seed cannot differ between them"),
        ({"a": {"loss": {"kl_coef": 0.0}}}, "arms.a: guide is 'branch', but loss.kl_coef is 0"),
        ({"a": {"mesh": {"data": 4}, "rollout": {"num_prompts": 2}}}, "num_prompts 2 is not"),
    ],
)
def test_arms_that_cannot_run_are_refused_before_the_first_starts(
    make_config, tmp_path, arms, message
):
    with pytest.raises(ConfigError) as caught:
        train_arms(make_config({"arms": {"fine": {}, **arms}}), tmp_path / "arms")
    assert message in str(caught.value)
    assert not (tmp_path / "arms").exists()


@pytest.mark.slow
def test_arms_share_their_base_and_stand_side_by_side(make_config, tmp_path, monkeypatch):
    arms = {"no_kl": {"guide": "none", "loss": {"kl_coef": 0.0}}, "sage": {}}
    config = make_config({"arms": arms, "train": {"steps": 2, "eval_every": 1, "entropies": 8}})

    def loud(*args, **options):
        opened = open_and_warm_up(*args, **options)
        warn("an odd warm-up")
        return opened

    monkeypatch.setattr("sage_jax.run.arms.open_and_warm_up", loud)
    train_arms(config, tmp_path)
    bases = [EvalResult.load(tmp_path / arm / "eval" / "base.json") for arm in arms]
    assert bases[0] == bases[1]
    assert (tmp_path / "base" / "config.json").is_file()
    assert not (tmp_path / "sage" / "base").exists()
    assert [run.name for run in read_runs([tmp_path])] == ["no_kl", "sage"]
    page = write_report([tmp_path], tmp_path / "report").read_text()
    assert "no_kl" in page
    assert page.count("an odd warm-up") == 1
    assert page.count("Where the reference branches") == 1
    other = configs.override(config, {"warmup": {"learning_rate": 0.5}})
    with pytest.raises(ConfigError, match=r"warmup\.learning_rate: 0\.002 there, 0\.5 now"):
        train_arms(other, tmp_path)
    assert "kl" not in lines(RunFolder(tmp_path / "no_kl"))[0]


def test_a_checkpoint_of_another_model_is_refused(undisturbed):
    _, folder = undisturbed
    checkpoints = Checkpoints(folder.checkpoints, keep=2)
    try:
        with pytest.raises(ValueError, match="does not fit the model or optimiser"):
            checkpoints.restore(4, {"other": jax.numpy.zeros(3)})
    finally:
        checkpoints.close()


def test_a_warm_up_below_the_bar_is_refused(make_config, tmp_path):
    config = make_config({"warmup": {"min_pass1": 0.9, "attempts": 2, "steps": 2}})
    with pytest.raises(ConfigError, match=r"pass@1 is 0\.\d+ after 2 attempts, below"):
        train(config, RunFolder(tmp_path / "run"), StopRequest())


def test_export_is_a_model_that_loads(undisturbed, tmp_path):
    config, folder = undisturbed
    export_run(folder.path, config, tmp_path / "out", Asked(check=True))
    loaded = models.load(tmp_path / "out")
    for a, b in zip(jax.tree.leaves(loaded.params), weights(folder, config), strict=True):
        np.testing.assert_array_equal(a, b)
    assert yaml.safe_load((tmp_path / "out" / "config.json").read_text())["model_type"] == "llama"


def test_sample_and_eval_of_a_run(undisturbed, capsys):
    config, folder = undisturbed
    commands.sample_run(folder.path, config, prompt="", gold="", count=2)
    commands.sample_run(folder.path, config, prompt="26 1 2 3 17 4", gold="", count=1)
    commands.evaluate_run(folder.path, config)
    printed = capsys.readouterr().out
    assert "mean entropy" in printed
    assert "trained - base" in printed
    with pytest.raises(DataError, match="this task takes 6 token ids below 28"):
        commands.sample_run(folder.path, config, prompt="what", gold="", count=1)


def test_a_mesh_is_picked_and_the_reason_told(make_config, tmp_path, capsys):
    config = configs.parse(configs.merge(make_config().model_dump(mode="json"), {"mesh": "auto"}))
    assert config.mesh.auto
    folder = RunFolder(tmp_path / "run")
    few = {"warmup": {"steps": 1}, "train": {"steps": 1}, "eval": {"num_problems": 8}}
    train(configs.override(config, few), folder, StopRequest())
    assert "mesh: data 4, fsdp 1, tensor 1 for 8 devices, memory unknown" in capsys.readouterr().out
    assert folder.load().mesh.auto
