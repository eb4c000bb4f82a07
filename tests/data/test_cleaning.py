"""What is trained on: mended, and clean of what evaluates it."""

import dataclasses

import pytest

from sage_jax.data.cleaning import mend, without_evaluation
from sage_jax.data.problem import Problem
from sage_jax.data.problem_set import Split
from sage_jax.faults import ConfigError
from sage_jax.parts import REPAIRS, Spec, resolve

LONG = "A train leaves the station at {} miles per hour and arrives two hours after noon. How far?"


def problem(id: str, speed: int, **changed) -> Problem:
    return dataclasses.replace(Problem(id, LONG.format(speed), str(2 * speed)), **changed)


SPLIT = Split([problem("a", 30), problem("b", 41), problem("c", 52)], [problem("held", 41)])


def repair(use: str):
    return resolve(Spec(use=use), REPAIRS, field="task.repairs.0")


def test_what_stands_in_an_evaluation_set_is_left_out_and_told():
    # One that is held out may be in a suite as well, and is told once.
    others = [problem("suite", 52), *SPLIT.held_out]
    found = without_evaluation(SPLIT, others, field="task")
    assert [one.id for one in found.train] == ["a"]
    assert [(one.id, one.evaluation_id) for one in found.contaminated] == [
        ("b", "held"),
        ("c", "suite"),
    ]
    assert found.held_out == SPLIT.held_out


def test_problems_that_are_distinct_by_how_they_are_drawn_stay():
    drawn = SPLIT._replace(distinct=True)
    assert without_evaluation(drawn, [problem("suite", 52)], field="task") == drawn


def test_they_stay_where_that_is_wanted_and_are_told():
    found = without_evaluation(SPLIT, [], field="task", leave_out=False)
    assert found.train == SPLIT.train
    assert [one.id for one in found.contaminated] == ["b"]


def test_a_set_that_is_all_evaluation_is_refused():
    every = [problem(one.id, int(one.answer) // 2) for one in SPLIT.train]
    with pytest.raises(ConfigError, match=r"task: all 3 .* stand in .*, as 'a' in 'a': name other"):
        without_evaluation(SPLIT, every, field="task")


def test_repairs_go_one_after_the_other_and_say_what_they_touched():
    damaged = problem("d", 30, problem=LONG.format(30).replace("miles", "\x0crac{1}{2} miles"))
    same = problem("e", 52, problem=LONG.format(52).upper())
    split = SPLIT._replace(train=[*SPLIT.train, damaged, same])
    found = mend(split, [repair("form_feeds"), repair("near_copies")])
    assert [one.id for one in found.train] == ["a", "b", "c", "d"]
    assert "\\frac{1}{2}" in found.train[-1].problem
    assert [tuple(one) for one in found.mended] == [
        ("form_feeds", ("d",)), ("near_copies", ("e",)),
    ]  # fmt: skip
    assert found.held_out == SPLIT.held_out


def nothing(problems):
    return [], [one.id for one in problems]


def no_pair(problems):
    return problems[0], []


@pytest.mark.parametrize("function", ["nothing", "no_pair"])
def test_a_repair_of_ones_own_gives_problems(function):
    with pytest.raises(ConfigError, match=r"task.repairs.0: "):
        mend(SPLIT, [repair(f"{__name__}:{function}")])
