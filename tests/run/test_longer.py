"""A run that is given more steps keeps the total of its schedules, and says so."""

import json
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sage_jax import config as configs
from sage_jax import setup
from sage_jax.config import ConfigError
from sage_jax.evaluate import EvalResult
from sage_jax.losses import Terms
from sage_jax.run.longer import continued
from sage_jax.run.loop import train
from sage_jax.run.run_folder import RunFolder
from sage_jax.run.stop import StopRequest
from sage_jax.setup import objective


@pytest.fixture
def begin(make_config, tmp_path):
    """A function from changes to (config of a run of 4 steps, its folder)."""

    def run(changes=None):
        config, folder = make_config(changes), RunFolder(tmp_path / "run")
        folder.write_config(config)
        return config, folder

    return run


def given(config, **options):
    return configs.override(config, {"train": options})


def rates(config):
    """Learning rates of nine updates."""
    schedule = setup.learning_rate(config)
    return [np.asarray(schedule(update)).item() for update in range(9)]


COSINE = {"optimizer": {"schedule": "cosine", "end_factor": 0.1}}


def test_without_a_schedule_it_just_goes_on(begin, capsys):
    config, folder = begin()
    more = continued(given(config, steps=9), folder)
    folder.refuse_drift(more)
    assert more.train.steps == 9
    told = capsys.readouterr().err
    assert "train.steps: 4 before, 9 now; nothing depends on their number" in told


def test_a_cosine_keeps_its_total_and_stays_at_its_end(begin, capsys):
    config, folder = begin(COSINE)
    more = continued(given(config, steps=9), folder)
    assert more.train.schedule_steps == 4
    assert rates(config)[:5] == rates(more)[:5]
    assert rates(more)[8] == pytest.approx(1e-4)
    told = capsys.readouterr().err
    assert "the cosine learning rate keeps its 4 steps and stays at 0.0001 after them" in told
    assert "(--train.schedule_steps 9 spreads over all)" in told
    folder.write_config(more)
    assert continued(given(config, steps=9), folder) == more
    assert capsys.readouterr().err == ""


def test_a_guide_keeps_its_cycles(begin, capsys):
    config, folder = begin({"guide": {"use": "token", "num_cycles": 2}})
    more = continued(given(config, steps=40), folder)
    key = jax.random.key(0)
    terms = Terms(logps=-jnp.arange(6.0).reshape(2, 3), mask=jnp.ones((2, 3)))
    for step in range(4):
        guides = [objective.make_guide(one) for one in (config, more)]
        left, right = (guide(terms, step=jnp.int32(step), key=key) for guide in guides if guide)
        np.testing.assert_array_equal(left, right)
    assert "guide 'token' keeps its cycles over 4 steps" in capsys.readouterr().err


def test_another_total_can_be_named_and_is_told(begin, capsys):
    config, folder = begin(COSINE)
    more = continued(given(config, steps=9, schedule_steps=9), folder)
    folder.refuse_drift(more)
    assert rates(more)[4] > 3e-4
    told = capsys.readouterr().err
    assert "from here on schedules are spread over 9 steps, not over the 4" in told


def test_fewer_steps_are_refused(begin):
    config, folder = begin()
    fewer = continued(given(config, steps=3), folder)
    with pytest.raises(ConfigError, match=r"train\.steps: 4 there, 3 now"):
        folder.refuse_drift(fewer)


def test_a_new_run_and_one_that_goes_on_alike_are_left_as_they_are(begin, tmp_path, capsys):
    config, folder = begin(COSINE)
    assert continued(config, folder) is config
    assert continued(config, RunFolder(tmp_path / "new")) is config
    assert capsys.readouterr().err == ""


def test_a_finished_run_goes_on_where_it_ended(undisturbed, tmp_path):
    config, whole = undisturbed
    folder = RunFolder(tmp_path / "run")
    shutil.copytree(whole.path, folder.path)
    train(given(config, steps=5), folder, StopRequest())
    entries, before = ([json.loads(line) for line in f.metrics_file.read_text().splitlines()]
                       for f in (folder, whole))  # fmt: skip
    assert entries[:4] == before
    assert entries[4]["step"] == 5
    assert EvalResult.load(folder.eval_file("final")).step == 5
    earlier = EvalResult.load(folder.eval_file("step-000004"))
    assert (earlier.step, earlier.tag) == (4, "step-000004")
    assert folder.load().train.steps == 5
