import dataclasses

import numpy as np
import pytest

from sage_jax.evaluate import EvalResult, ProblemResult, expected_support, support_expansion


def result(counts: dict[str, int], samples: int = 8) -> EvalResult:
    problems = tuple(ProblemResult(name, c, samples) for name, c in counts.items())
    return EvalResult("t", 0, "toy", samples, 0, 1.0, problems, 1.0, 0.0)


BASE = result({"a": 0, "b": 1, "c": 8, "d": 0})
TRAINED = result({"d": 0, "c": 0, "b": 5, "a": 1})


def test_each_problem_is_in_one_group():
    found = support_expansion(BASE, TRAINED)
    assert (found.gained, found.kept, found.lost, found.never) == (("a",), ("b",), ("c",), ("d",))


def test_nothing_changes_against_itself():
    found = support_expansion(BASE, BASE)
    assert (found.gained, found.lost) == ((), ())


def test_different_problems_are_refused_by_id():
    with pytest.raises(ValueError, match="only in the first: d; only in the second: z"):
        support_expansion(BASE, result({"a": 0, "b": 0, "c": 0, "z": 1}))


def test_expected_counts_are_the_observed_ones_at_the_full_budget():
    expected = expected_support(BASE, TRAINED, 8)
    assert expected == {"gained": 1.0, "kept": 1.0, "lost": 1.0, "never": 1.0}


def test_expected_counts_are_means_over_fresh_draws():
    rng = np.random.default_rng(0)
    before, after = result({"a": 1, "b": 3}), result({"a": 6, "b": 2})
    gained = 0.0
    for _ in range(4000):
        for b, t in ((1, 6), (3, 2)):
            solved_before = rng.hypergeometric(b, 8 - b, 2) > 0
            solved_after = rng.hypergeometric(t, 8 - t, 2) > 0
            gained += (not solved_before and solved_after) / 4000
    found = expected_support(before, after, 2)
    assert found["gained"] == pytest.approx(gained, abs=0.05)
    assert sum(found.values()) == pytest.approx(2.0)


def test_the_caveat_names_the_budget_and_its_blind_spot():
    caveat = support_expansion(BASE, TRAINED).caveat
    assert "one correct of 8 samples" in caveat
    assert f"{1 - 0.05 ** (1 / 8):.1%}" in caveat
    assert "budgets differ" not in caveat
    uneven = dataclasses.replace(support_expansion(BASE, TRAINED), samples=64)
    assert "budgets differ" in uneven.caveat
