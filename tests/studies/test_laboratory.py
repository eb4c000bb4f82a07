import dataclasses
import functools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sage_jax import models
from studies import laboratory, store, tables
from studies.arms import BETWEEN, CORE, DOSES, RIVALS, SCHEDULED
from studies.exact import Judgement
from studies.figures import figures
from studies.runs import train

ARMS = (*CORE, *RIVALS, *DOSES, *SCHEDULED, *BETWEEN)


def run(tmp_path):
    laboratory.main(["--quick", "--out", str(tmp_path / "out.jsonl"), "--cache", str(tmp_path)])
    return store.read(tmp_path / "out.jsonl")


def test_a_study_goes_on_where_it_stopped_and_ends_in_the_same_rows(tmp_path):
    whole = run(tmp_path)
    assert [row["arm"] for row in whole] == ["base", "k3", "gated, ref"]
    path = tmp_path / "out.jsonl"
    kept = path.read_text().splitlines()
    path.write_text("\n".join([*kept[:2], kept[2][:20]]))  # Killed while it wrote.
    resumed = run(tmp_path)
    assert [drop(row) for row in resumed] == [drop(row) for row in whole]
    assert run(tmp_path) == resumed
    assert "gated, ref" in tables.table([row | {"seconds": 1.0} for row in resumed])


def drop(row):
    return {name: value for name, value in row.items() if name != "seconds"}


def test_every_arm_has_a_name_of_its_own():
    names = [arm.name for arm in ARMS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("arm", {arm.make: arm for arm in ARMS}.values(), ids=lambda arm: arm.name)
def test_every_arm_makes_a_step_that_learns(arm):
    """Traced and not run: parts that do not go together, or take no traced number, are refused."""
    setting = dataclasses.replace(laboratory.QUICK, group_size=8)
    policy, key = setting.policy(), jax.random.key(0)
    params = jax.eval_shape(lambda key: models.init(policy.loaded.config, key)[1], key)
    numbers = (*arm.constants, "kl_coef", "learning_rate")
    values = {name: jax.ShapeDtypeStruct((), jnp.float32) for name in numbers}
    found = jax.eval_shape(functools.partial(train, setting, policy, arm.make), params, values, key)
    assert found.kl.shape == ()
    assert found.judged.modes.shape[0] == setting.problems


def test_all_arms_of_a_pair_follow_one_another():
    """What is done at any time is paired, and a part of the work has whole warm-starts."""
    pairs = [
        (job.setting, job.learning_rate, job.base, job.seed)
        for job in laboratory.jobs([laboratory.PLAN[0]])
    ]
    assert len(dict.fromkeys(pairs)) == 10
    assert pairs == sorted(pairs, key=list(dict.fromkeys(pairs)).index)


def test_a_warm_up_goes_on_until_the_model_computes(tmp_path, monkeypatch):
    setting = dataclasses.replace(laboratory.QUICK, least_followed=0.3)
    lab = laboratory.Laboratory(setting, tmp_path)
    monkeypatch.setattr(lab, "_fresh", lambda number: 0.0)
    monkeypatch.setattr(lab, "_warmed", lambda params, number, done: params + number)
    monkeypatch.setattr(lab, "_evaluate", lambda params: Judgement(*[jnp.full(1, params)] * 3))
    assert [rounds for rounds, _ in map(lab.base, (1.0, 0.125))] == [1, 3]
    with pytest.raises(SystemExit, match="have not taught it to compute"):
        lab.base(0.01)


def test_figures_are_exact():
    modes = np.array([[0.2, 0.0, 0.3], [0.005, 0.0, 0.0]])
    found = figures(Judgement(modes, np.ones(2), np.ones(2)))  # type: ignore[arg-type]
    assert found["pass@1"] == pytest.approx((0.5 + 0.005) / 2)
    assert found["pass@4"] == pytest.approx((1 - 0.5**4 + 1 - 0.995**4) / 2)
    assert found["modes/kept"] == pytest.approx(2 / 3)
    nats = -(0.4 * np.log(0.4) + 0.6 * np.log(0.6))
    assert found["modes/effective"] == pytest.approx((np.exp(nats) + 1) / 2)


def test_lines_of_two_processes_are_whole(tmp_path):
    path = tmp_path / "rows.jsonl"
    store.append(path, {"a": 1})
    with path.open("a") as file:
        file.write('{"torn": ')
    store.append(path, {"a": 2})
    assert store.read(path) == [{"a": 1}, {"a": 2}]
    assert json.loads(path.read_text().splitlines()[-1]) == {"a": 2}
