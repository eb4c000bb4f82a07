"""Rates of training problems out of a file, and the curriculum that weighs by them."""

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
from letters import Letters

from sage_jax.config import ConfigError
from sage_jax.data import DataError, ProblemSet
from sage_jax.data.make_task import make_task
from sage_jax.data.rates import read_rates
from sage_jax.data.tasks import Setting
from sage_jax.parts import TaskSpec

SETTING = Setting(0, Letters(), 64, 32, stop_ids=(0,), embeddings=256)
RATES = {f"p-{i}": i / 8 for i in range(9)}


def problems():
    rows = [
        {
            "id": f"p-{i}",
            "problem": f"{i}?" + " long" * (20 * (i == 3)),
            "answer": str(i),
            "solution": "so",
        }
        for i in range(11)
    ]
    return ProblemSet(rows[:9], rows[9:], reward="number")


def others():
    rows = [{"id": f"q-{i}", "problem": f"{i}?", "answer": str(i)} for i in range(4)]
    return ProblemSet(rows[:3], rows[3:], reward="number")


def halves(rates):
    return np.where(rates < 0.5, -1.0, 1.0)


def forgetful(rates):
    return None


def moody(rates, seen=[]):  # noqa: B006 - it is to change
    seen.append(1)
    return rates + len(seen)


def least(rates, *, most: float):
    return rates <= most


@pytest.fixture
def write(tmp_path):
    def write(rates) -> str:
        path = tmp_path / "rates.jsonl"
        rows = [{"id": id, "base_pass_rate": rate, "samples": 8} for id, rate in rates.items()]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return str(path)

    return write


def make(path="", *, use=f"{__name__}:problems", setting=SETTING, **options) -> Any:
    spec = {"use": use, "instruction": "", "rates_file": path, **options}
    return make_task(TaskSpec.model_validate(spec), setting)


def drawn(task, count=140):
    return [int(id[2:]) for id in task.train_prompts(0, count).ids]


def test_rates_become_a_column_and_serve_the_loss(write):
    asking = dataclasses.replace(SETTING, rates=frozenset(("base_pass_rate",)))
    task = make(write(RATES), setting=asking)
    found = {one.id: one.extra for one in task.all_train().problems}
    assert found == {id: {"base_pass_rate": rate} for id, rate in RATES.items() if id != "p-3"}
    assert task.train_prompts(0, 4).dropped == 1


@pytest.mark.parametrize(
    ("curriculum", "kept"),
    [
        ({"use": "band", "low": 0.25, "high": 0.75}, {2, 4, 5, 6}),
        ("solvable", {1, 2, 4, 5, 6, 7}),
        ({"use": f"{__name__}:least", "most": 0.125}, {0, 1}),
    ],
)
def test_what_has_no_weight_is_never_drawn(write, curriculum, kept):
    task = make(write(RATES), curriculum=curriculum)
    assert {*drawn(task, 2 * len(kept))} == kept
    epochs = np.reshape(drawn(task, 3 * len(kept)), (3, -1))
    assert all({*epoch.tolist()} == kept for epoch in epochs)
    # The model that was rated had learned from all.
    shown, plain = (one.demonstrations(0, 8) for one in (task, make()))
    np.testing.assert_array_equal(shown.prompt_tokens, plain.prompt_tokens)
    # What is not trained on is not held out, and what is to be rated is all.
    assert (len(task.held_out(9).ids), len(task.all_train().ids)) == (2, 8)


def test_a_gaussian_draws_most_about_its_target(write):
    task = make(write(RATES), curriculum={"use": "gaussian", "target": 0.5, "width": 0.2})
    counts = np.bincount(drawn(task), minlength=9)
    assert counts[4] == counts.max()
    assert counts[8] < counts[6] < counts[4]
    whole = drawn(task, 24)
    assert [one for index in range(4) for one in task.train_prompts(index, 6).ids] == [
        f"p-{one}" for one in whole
    ]


def test_where_there_is_no_file_the_command_that_writes_one_is_named():
    with pytest.raises(DataError, match=r"^nowhere: cannot be read: .*; `sage-jax rate` writes"):
        make("nowhere")


def test_unlike_files_are_told_and_a_curriculum_needs_every_rate(write, caplog):
    path = write({"p-0": 0.5, "zz": 1, "p-9": 0.5})
    make(path)
    assert [record.getMessage().removeprefix(f"{path}: ") for record in caplog.records] == [
        "8 of 9 training problems have no rate there, as 'p-1'",
        "1 of 3 rates are of problems that are not there, as 'zz'",
    ]
    with pytest.raises(DataError, match=r"task.curriculum reads base_pass_rate, .* 8 of 9 have"):
        make(path, curriculum="solvable")
    with pytest.raises(DataError, match=r"9 of 9 have none, as 'p-0' .*: give the data a column"):
        make(curriculum="solvable")
    # Nothing of it is read where nothing is trained.
    aside = dataclasses.replace(SETTING, rates=None)
    assert len(make("nowhere", curriculum="solvable", setting=aside).all_train().ids) == 8


def test_a_mixture_has_one_file_and_sources_have_curricula_of_their_own(write, caplog):
    path = write(RATES | {f"q-{i}": 0.5 for i in range(3)} | {"zz": 0})
    band = {"use": "band", "low": 0.5, "high": 0.5}
    of = [{"use": f"{__name__}:problems", "curriculum": band}, {"use": f"{__name__}:others"}]
    task = make(path, use="mixture", of=of)
    assert {*task.train_prompts(0, 20).ids} == {"p-4", "q-0", "q-1", "q-2"}
    assert "1 of 13 rates are of problems that are not there, as 'zz'" in caplog.messages[-1]
    assert len([one for one in caplog.messages if "not there" in one]) == 1
    shared = make(path, use="mixture", of=[of[0], of[1]["use"]], curriculum="solvable")
    assert len({*shared.train_prompts(0, 40).ids}) == 4


@pytest.mark.parametrize(
    ("curriculum", "message"),
    [
        ("bend", "task.curriculum: there is no curriculum 'bend'"),
        ({"use": "band", "low": 0.1}, "task.curriculum.high: must be given"),
        ({"use": "band", "low": 0.9, "high": 0.1}, "task.curriculum: low and high must be"),
        ({"use": "band", "low": 0.51, "high": 0.52}, "band leaves none of the 9 training problems"),
        ({"use": "band", "low": 0.375, "high": 0.376}, None),
        (f"{__name__}:halves", "gives the weight -1; 0 or more is needed"),
        (f"{__name__}:forgetful", "gives None for 9 rates; one weight for each is needed"),
        (f"{__name__}:moody", "moody gives other weights when it is called again"),
        ({"use": "solvable", "rates": [1]}, "task.curriculum.rates: is given by the trainer"),
    ],
)
def test_curricula_that_cannot_be(write, curriculum, message):
    # Of those that are short enough none is left by the one without a message.
    kind = (DataError, "that are short enough, the curriculum leaves none")
    expected = (ConfigError, message) if message else kind
    with pytest.raises(expected[0], match=expected[1]):
        make(write(RATES), curriculum=curriculum)


@pytest.mark.parametrize("given", [{"curriculum": "solvable"}, {"rates_file": "r.jsonl"}])
def test_a_puzzle_has_no_rates(given):
    spec = TaskSpec.model_validate({"use": "brackets", **given})
    message = f"task.{next(iter(given))}: the task 'brackets' draws its"
    with pytest.raises(ConfigError, match=message):
        make_task(spec, Setting(0, None, 8, 8))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"id": "a", "base_pass_rate": 0.5}\n{"id": "a", "base_pass_rate": 1}\n',
         "line 2: id 'a' was there before"),
        ('{"id": "a", "base_pass_rate": 50}\n', "base_pass_rate is 50; give a number from 0 to 1"),
        ('{"id": "a"}\n', "base_pass_rate is None"),
        ('{"id": "a", "base_pass_rate": NaN}\n', "base_pass_rate is nan; give a number from 0"),
        ('{"id": "a", "base_pass_rate": true}\n', "base_pass_rate is True; give a number from 0"),
        ('{"id": 3, "base_pass_rate": 1}\n', "line 1: id is 3; give that of a problem"),
        ("[]\n", "line 1: must be a JSON object, got []"),
        ("\n", "line 1: the line is blank"),
        ("", "holds no rate; `sage-jax rate` writes one a line"),
        ("{\n", "line 1: "),
    ],
)  # fmt: skip
def test_files_that_hold_no_rates(tmp_path, text, message):
    path = tmp_path / "rates.jsonl"
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        read_rates(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    with pytest.raises(DataError, match="cannot be read"):
        read_rates(tmp_path / "none.jsonl")
