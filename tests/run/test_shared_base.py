"""Arms in one folder evaluate their base once, and alone where they would evaluate otherwise."""

import dataclasses

import fake_run

from sage_jax import config as configs
from sage_jax.evaluate import EvalResult
from sage_jax.run.run_folder import RunFolder
from sage_jax.run.shared_base import shared_base
from sage_jax.run.stop import StopRequest

ARMS = {
    "first": {},
    "other_loss": {"guide": "none", "loss": {"kl_coef": 0.0}, "train": {"steps": 2}},
    "hotter": {"rollout": {"temperature": 2.0}},
    "longer": {"eval": {"num_samples": 8}},
}


def test_arms_that_evaluate_alike_do_so_once(make_config, tmp_path):
    config, asked = make_config({"arms": ARMS}), []

    def opens(arm, folder, stop, **told):
        def evaluate(model, what, **how):
            asked.append((arm.name, what.tag))
            return fake_run.evaluate(model, what, **how)

        return dataclasses.replace(fake_run.opens(arm, folder, stop, **told), evaluate=evaluate)

    RunFolder(tmp_path).share(config)
    for name, arm in configs.arms(config).items():
        fake_run.train(arm, RunFolder(tmp_path / name), StopRequest(), opens=opens)
    assert [name for name, tag in asked if tag == "base"] == ["first", "hotter", "longer"]
    assert [name for name, tag in asked if tag == "final"] == [*ARMS]
    bases = {name: EvalResult.load(tmp_path / name / "eval" / "base.json") for name in ARMS}
    assert bases["other_loss"] == bases["first"] != bases["longer"]


def test_a_run_that_is_no_arm_looks_at_no_other(make_config, tmp_path):
    folders = [RunFolder(tmp_path / name) for name in ("one", "another")]
    fake_run.train(make_config(), folders[0], StopRequest())
    assert shared_base(make_config(), folders[1]) is None
    RunFolder(tmp_path).share(make_config({"arms": {"one": {}, "another": {}}}))
    assert shared_base(make_config(), folders[1]) is not None
