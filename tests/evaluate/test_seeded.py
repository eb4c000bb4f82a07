import dataclasses

import numpy as np
import pytest

from sage_jax.evaluate import EvalResult, ProblemResult, ResultError, tally
from sage_jax.evaluate.seeded import SeededResult, differences


def judged(id: str, answers: list, gold: str = "1") -> ProblemResult:
    found = tally(answers, [answer == gold for answer in answers], id=id, gold=gold)
    return dataclasses.replace(found, length=len(answers[0] or ""), truncated=0.0, lost=0.0)


def result(seed: int, *problems: ProblemResult, **options) -> EvalResult:
    given = {"tag": "final", "step": 9, "mean_length": 3.0 + seed, "truncated": 0.5} | options
    samples = problems[0].samples
    return EvalResult(
        task="toy", samples=samples, seed=seed, temperature=1.0, problems=problems, **given
    )


@pytest.fixture
def seeded():
    return SeededResult(
        (
            result(0, judged("a", ["1", "1", "2"]), judged("b", ["5", "0.5", None])),
            # In another order, and spelt in another way.
            result(1, judged("b", ["1/2", "1", "7"]), judged("a", ["1", "2.0", "3"])),
        )
    )


def test_figures_of_all_seeds_stand_in_the_order_of_the_first(seeded):
    np.testing.assert_allclose(seeded.table("pass@1"), [[2 / 3, 0], [1 / 3, 1 / 3]])
    assert (seeded.ids, seeded.seeds, seeded.largest_k) == (("a", "b"), (0, 1), 3)
    for interval in (seeded.over_problems, seeded.over_seeds, seeded.over_both):
        assert interval("pass@1").mean == pytest.approx(1 / 3)


def test_pooled_samples_are_one_evaluation(seeded):
    pooled = seeded.pooled()
    assert pooled.samples == 6
    first, second = pooled.problems
    assert first.answers == {"1": 3, "2": 2, "3": 1}
    assert second.answers == {"5": 1, "0.5": 2, "1": 1, "7": 1}
    assert (pooled.mean_length, pooled.truncated, first.length) == (3.5, 0.5, 1.0)
    np.testing.assert_allclose(pooled.pass_table([1]).mean(), seeded.table("pass@1").mean())
    np.testing.assert_allclose(pooled.pass_table([6]), [[1], [1]])


def counted(correct, samples: int) -> list[ProblemResult]:
    return [ProblemResult(f"p{i}", int(c), samples) for i, c in enumerate(correct)]


def test_pooled_pass_at_k_equals_one_drawing_of_as_many():
    rng = np.random.default_rng(0)
    counts = rng.binomial(8, 0.3, (3, 5))
    parts = [result(seed, *counted(row, 8)) for seed, row in enumerate(counts)]
    pooled = SeededResult(tuple(parts)).pooled()
    whole = result(0, *counted(counts.sum(axis=0), 24))
    np.testing.assert_array_equal(pooled.pass_table([1, 24]), whole.pass_table([1, 24]))


def test_modes_of_seeds_add_up():
    parts = [
        result(s, ProblemResult("a", 2, 4, modes=modes))
        for s, modes in enumerate(({"x": 1, "y": 1}, {"x": 2}))
    ]
    pooled = SeededResult(tuple(parts)).pooled()
    assert pooled.problems[0].modes == {"x": 3, "y": 1}


def test_problems_are_left_out_under_all_seeds(seeded):
    assert seeded.without(["a"]).ids == ("b",)


def test_differences_pair_seeds_and_problems(seeded):
    turned = SeededResult(seeded.results[::-1])
    np.testing.assert_array_equal(differences(seeded, turned, "pass@1"), np.zeros((2, 2)))
    other = SeededResult((result(5, *seeded.results[0].problems),))
    with pytest.raises(ValueError, match=r"different seeds, \(0, 1\) and \(5,\)"):
        differences(seeded, other, "pass@1")


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ({"seed": 0}, "seed 0 is there twice: the same luck counts once"),
        ({"task": "math"}, "task must be the same under all seeds, got 'toy' of seed 0 and 'math'"),
        ({"temperature": 0.3}, "temperature must be the same under all seeds, got 1.0 of seed 0"),
        ({"problems": (judged("c", ["1", "1", "1"]),)}, "seeds 0 and 1: the two results cover"),
    ],
)
def test_refuses_what_is_not_one_suite(seeded, edit, message):
    first, second = seeded.results
    with pytest.raises(ResultError, match=message):
        SeededResult((first, dataclasses.replace(second, **edit)))


def test_refuses_to_pool_several_models_and_chances(seeded):
    first, second = seeded.results
    with pytest.raises(ResultError, match="step must be the same under all seeds, got 9 of seed 0"):
        SeededResult((first, dataclasses.replace(second, step=10))).pooled()
    exact = [EvalResult("t", 0, "toy", 0, s, 1.0, (ProblemResult("a", 0.5, 0),)) for s in (0, 1)]
    with pytest.raises(ResultError, match="exact evaluations hold no samples to pool"):
        SeededResult(tuple(exact)).pooled()
    with pytest.raises(ResultError, match="needs one at least"):
        SeededResult(())
