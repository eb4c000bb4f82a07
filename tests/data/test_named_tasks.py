"""Data sets by name as tasks: what is trained on, what is held out, and what is refused."""

from typing import Any

import pytest
from letters import Letters

from sage_jax.config import ConfigError
from sage_jax.data import DataError, Problem
from sage_jax.data.make_task import make_task
from sage_jax.data.named import DATA_SETS
from sage_jax.data.parts import named
from sage_jax.data.tasks import Setting
from sage_jax.parts import TASKS, RewardSpec, TaskSpec

SETTING = Setting(0, Letters(), 64, 32, stop_ids=(0,), embeddings=256)


@pytest.fixture(autouse=True)
def prepared(monkeypatch):
    """Three problems of every split, in place of the real ones; what was asked for."""
    asked = []

    def load(data, **where):
        asked.append((data.name, where))
        return {split: problems(data.name, split) for split in data.splits}

    monkeypatch.setattr(named, "load", load)
    return asked


def problems(name, split):
    return [
        Problem(f"{name}-{split}-{n}", f"{n} in {split}?", str(2 * n), f"{name}/{language}")
        for n, language in enumerate(("en", "zh", "en"))
    ]


def make(name, *, to_train=True, **options):
    spec = TaskSpec.model_validate({"use": name, "instruction": "", **options})
    return make_task(spec, SETTING, [RewardSpec(use="number")], to_train=to_train)


def test_every_data_set_is_a_task():
    assert {*DATA_SETS} <= {*TASKS.names()}
    for name in DATA_SETS:
        getattr(named, name)()


def test_the_test_split_is_held_out(prepared):
    task = make("gsm8k", data_dir="gs://bucket/tfds", manual_dir="files")
    assert prepared == [("gsm8k", {"data_dir": "gs://bucket/tfds", "manual_dir": "files"})]
    assert task.held_out(9).ids == [f"gsm8k-test-{n}" for n in range(3)]
    assert sorted(task.train_prompts(0, 3).ids) == [f"gsm8k-train-{n}" for n in range(3)]


@pytest.mark.parametrize(("language", "kept"), [("", [0, 1, 2]), ("en", [0, 2]), ("zh", [1])])
def test_a_language_of_dapo(language, kept):
    found: Any = named.dapo_math_17k(language=language)
    assert [one.id for one in found.train] == [f"dapo_math_17k-train-{n}" for n in kept]
    assert found.held_out is None


def test_a_language_that_there_is_not():
    with pytest.raises(ConfigError, match=r"task\.language"):
        make("dapo_math_17k", language="fr")


def test_problems_to_leave_out():
    found: Any = named.math(exclude_ids=("math-train-1",))
    assert [one.id for one in found.train] == ["math-train-0", "math-train-2"]
    with pytest.raises(DataError, match="no problem 'math-train-7' to train on"):
        named.math(exclude_ids=("math-train-7",))


def test_no_training_on_what_is_there_to_evaluate_on():
    with pytest.raises(ConfigError, match=r"^task: aime25 gives no problem to train on, and"):
        make("aime25")


def test_a_suite_asks_what_is_there_to_evaluate_on():
    task = make("aime25", to_train=False)
    assert task.held_out(9).ids == [f"aime25-test-{n}" for n in range(3)]
    with pytest.raises(ValueError):
        task.train_prompts(0, 1)
