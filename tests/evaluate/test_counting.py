import dataclasses
import random

import pytest

from sage_jax.evaluate import ProblemResult
from sage_jax.evaluate.completions import Completion
from sage_jax.evaluate.counting import as_evaluation, count
from sage_jax.files import ResultError

GOLDS = {"a": {"p1": "4", "p2": "1/2"}, "b": {"p3": ""}}


def one(id, sample, answer, correct, **fields):
    given = {"suite": "b" if id == "p3" else "a", "length": 10 * (sample or 0), "truncated": False}
    return Completion(id, "text", sample=sample, answer=answer, correct=correct, **(given | fields))


def completions():
    return [
        one("p1", 0, "4", True, mode="direct"),
        one("p1", 1, "5", False),
        one("p1", 2, "5.0", False, truncated=True),
        one("p2", 0, "", False, reason="deadline"),
        one("p2", 1, None, False),
        one("p2", 2, "0.5", True, mode="split"),
        one("p3", 0, None, True),
        one("p3", 1, None, False),
    ]


def test_completions_become_results():
    found = count(completions(), GOLDS)
    first = ProblemResult(
        "p1", 1, 3, {"4": 1, "5": 2}, "4", {"direct": 1},
        length=10.0, truncated=1 / 3, lost=0.0,
    )  # fmt: skip
    second = ProblemResult(
        "p2", 1, 3, {"1/2": 1}, "1/2", {"split": 1}, length=10.0, truncated=0.0, lost=1 / 3
    )
    third = ProblemResult("p3", 1, 2, length=5.0, truncated=0.0, lost=0.0)
    assert found == {"a": (first, second), "b": (third,)}


def test_the_order_of_lines_does_not_matter():
    shuffled = completions()
    random.Random(0).shuffle(shuffled)
    assert count(shuffled, GOLDS) == count(completions(), GOLDS)


def test_results_become_an_evaluation():
    head = {"tag": "final", "step": 3, "task": "a", "seed": 1, "temperature": 0.3}
    result = as_evaluation(count(completions(), GOLDS)["a"], **head)
    assert (result.samples, result.mean_length) == (3, 10.0)
    assert (result.truncated, result.lost) == (1 / 6, 1 / 6)
    bare = [dataclasses.replace(c, length=None) for c in completions()]
    assert as_evaluation(count(bare, GOLDS)["a"], **head).mean_length is None


def test_completions_without_suite_or_sample_are_placed_by_id_and_order():
    bare = [dataclasses.replace(c, suite="", sample=None) for c in completions()]
    assert count(bare, GOLDS) == count(completions(), GOLDS)


def edit(place, **changes):
    changed = completions()
    changed[place] = dataclasses.replace(changed[place], **changes)
    return changed


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (edit(0, suite="c"), "problem 'p1': there is no suite 'c'; there are 'a', 'b'"),
        (edit(0, suite="b"), "problem 'p1': suite 'b' has no such problem"),
        (edit(0, id="p9", suite=""), "problem 'p9': no suite has such a problem"),
        (edit(0, correct=None), "suite 'a', problem 'p1': a completion was not judged"),
        (
            edit(0, sample=None),
            "problem 'p1': some completions have a sample and others do not",
        ),
        (edit(0, sample=1), "suite 'a', problem 'p1': sample 1 is there twice"),
        (completions()[1:], "suite 'a': problem 'p1' has 2 completions and 'p2' has 3; all must"),
        (completions()[:6], "suite 'b', problem 'p3': no completion of it is there"),
    ],
)
def test_refuses_what_does_not_add_up(given, message):
    with pytest.raises(ResultError, match=message):
        count(given, GOLDS)


def test_an_id_of_two_suites_needs_its_suite():
    golds = {"a": {"p1": "4"}, "b": {"p1": "5"}}
    given = [one("p1", 0, "4", True, suite="a"), one("p1", 0, "4", False, suite="b")]
    assert [r[0].correct for r in count(given, golds).values()] == [1, 0]
    with pytest.raises(ResultError, match="it is in 'a', 'b': each completion must name its suite"):
        count([dataclasses.replace(given[0], suite="")], golds)
