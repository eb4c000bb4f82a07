"""Diversity of right answers against enumeration by plain loops, and through files and tables."""

import dataclasses
import io
import itertools
import json
import math

import numpy as np
import pytest

from sage_jax.evaluate import (
    EvalResult,
    ProblemResult,
    ResultError,
    print_table,
    support_expansion,
    write_report,
)
from sage_jax.evaluate.comparison import compare
from sage_jax.evaluate.modes import (
    distinct_at_k,
    diversity,
    effective_modes,
    exact_distinct_at_k,
    exact_diversity,
    exact_effective_modes,
    of_tokens,
)
from sage_jax.evaluate.passk import exact_pass_at_k
from sage_jax.evaluate.runs import Run

COUNTS = [(3, 1), (2, 2, 1), (1,), (6,), (0, 4), ()]
CHANCES = np.array([0.3, 0.15, 0.05])  # The rest is wrong.


def drawn(counts, samples=6):
    """Samples as modes, None for a wrong one."""
    right = [mode for mode, count in enumerate(counts) for _ in range(count)]
    return right + [None] * (samples - len(right))


@pytest.mark.parametrize("counts", COUNTS)
@pytest.mark.parametrize("k", [1, 2, 4, 6])
def test_distinct_modes_are_the_mean_over_all_subsets(counts, k):
    subsets = [*itertools.combinations(drawn(counts), k)]
    found = [len({one for one in subset if one is not None}) for subset in subsets]
    assert distinct_at_k(counts, 6, k) == pytest.approx(np.mean(found))


@pytest.mark.parametrize("counts", COUNTS)
def test_diversity_is_the_share_of_pairs_that_differ(counts):
    right = [one for one in drawn(counts) if one is not None]
    pairs = [a != b for a, b in itertools.combinations(right, 2)]
    np.testing.assert_allclose(diversity(counts), np.mean(pairs) if pairs else np.nan)


def outcomes(samples):
    """Every way in which samples may fall, with its probability."""
    every = [*CHANCES, 1 - CHANCES.sum()]
    for fallen in itertools.product(range(len(every)), repeat=samples):
        yield np.bincount(fallen, minlength=len(every))[:-1], math.prod(every[i] for i in fallen)


def test_estimates_from_samples_are_unbiased():
    for k in (1, 2, 4):
        mean = sum(p * distinct_at_k(counts, 5, k) for counts, p in outcomes(5))
        assert mean == pytest.approx(exact_distinct_at_k(CHANCES, k))
    known = [(diversity(counts), p) for counts, p in outcomes(5) if counts.sum() > 1]
    mean = sum(p * value for value, p in known) / sum(p for _, p in known)
    assert mean == pytest.approx(exact_diversity(CHANCES))


def test_the_estimate_of_effective_modes_is_unbiased_for_a_series_of_the_entropy():
    chances = np.array([0.5, 0.3, 0.2])  # Every sample is right.
    total = 6
    mean = 0.0
    for fallen in itertools.product(range(3), repeat=total):
        counts = np.bincount(fallen, minlength=3)
        mean += chances[list(fallen)].prod() * np.log(effective_modes(counts))
    series = sum((chances * (1 - chances) ** v).sum() / v for v in range(1, total))
    assert mean == pytest.approx(series)
    assert series < np.log(exact_effective_modes(chances))


def test_many_samples_tell_the_effective_modes():
    counts = np.array([70_000, 20_000, 10_000, 0])
    assert effective_modes(counts) == pytest.approx(exact_effective_modes(counts), rel=1e-4)
    assert math.isnan(effective_modes([1]))
    assert math.isnan(effective_modes([]))
    # All modes unlike: there may be many more, and the estimate is above what was found.
    assert effective_modes([1, 1, 1]) > 3


def test_exact_figures_match_plain_loops():
    shares = CHANCES / CHANCES.sum()
    differ = sum(
        a * b for (i, a), (j, b) in itertools.product(enumerate(shares), repeat=2) if i != j
    )
    assert exact_diversity(CHANCES) == pytest.approx(differ)
    assert exact_effective_modes(np.full(5, 0.01)) == pytest.approx(5)
    assert math.isnan(exact_diversity([0.0, 0.0]))
    assert math.isnan(exact_effective_modes([]))
    np.testing.assert_allclose(exact_pass_at_k([1e-12], 1000), [1e-9], rtol=1e-6)
    for k, chances in ((0, [0.5]), (1, [1.5]), (1, [-0.1]), (1, [np.nan])):
        with pytest.raises(ValueError, match="must"):
            exact_pass_at_k(chances, k)


def test_places_of_answers_that_share_beginnings_are_counted_once():
    # Of two problems three answers each: "ab", "ac", "bd".
    tokens = np.array([[[0, 1], [0, 2], [1, 3]]] * 2)
    first, second = np.array([[0.6, 0.3], [0.5, 0.1]]), np.array([[0.5, 0.2, 0.9], [0.1, 0.4, 0.7]])
    chances = np.stack([first[:, [0, 0, 1]], second], axis=2)
    # What stands before a place has one distribution, whichever answer goes on from it.
    entropies = np.ones((2, 3, 2)) * [[[1.0, 0.3]], [[0.8, 0.2]]]
    entropies[:, 2, 1] = 0.5, 0.6
    reached, kept, entropy = of_tokens(np.log(chances), entropies, tokens, np.ones(tokens.shape))
    np.testing.assert_allclose(reached, [2, first.sum()])
    ended = (first[:, [0, 0, 1]] * second).sum()
    np.testing.assert_allclose(kept, [first.sum(), ended])
    np.testing.assert_allclose(entropy, [1.8, 0.6 * 0.3 + 0.3 * 0.5 + 0.5 * 0.2 + 0.1 * 0.6])
    # The product of what is kept at each place is the share of samples that are an answer.
    assert (kept / reached).prod() * 2 == pytest.approx(ended)


def exact_result(tag="final", step=4, scale=1.0, ids="abc") -> EvalResult:
    modes = [{"x": 0.2 * scale, "y": 0.1 * scale}, {"x": 0.001 * scale}, {"y": 0.0}]
    problems = tuple(
        ProblemResult(id, sum(own.values()), 0, modes=own)
        for id, own in zip(ids, modes, strict=True)
    )
    tokens = {"right": [0.9, 0.5], "entropy": [1.5, 0.2]}
    return EvalResult(tag, step, "toy", 0, 3, 1.0, problems, tokens=tokens)


def test_an_exact_result_is_kept_and_goes_far(tmp_path):
    result = exact_result()
    path = tmp_path / "final.json"
    result.save(path)
    assert EvalResult.load(path) == result
    summary = result.summary()
    np.testing.assert_allclose(
        summary["pass@1024"]["mean"], np.mean([1 - 0.7**1024, 1 - 0.999**1024, 0])
    )
    np.testing.assert_allclose(
        summary["modes/distinct@2"]["mean"], np.mean([1 - 0.8**2 + 1 - 0.9**2, 1 - 0.999**2, 0])
    )
    # The third problem has no right answer of any chance, and no diversity.
    np.testing.assert_allclose(summary["modes/diversity"]["mean"], np.mean([4 / 9, 0]))
    assert not {"mean_length", "truncated", "majority@1024"} & {*summary}


def broken(**changes):
    return lambda content: content["problems"][0].update(changes)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (broken(correct=1.5), r"problem 'a': correct must lie in 0..1, got 1.5"),
        (broken(modes={"x": 0.2}), "problem 'a': modes must add up to correct"),
        (broken(modes={"x": -0.1}), r"modes\['x'\] must be a chance, got -0.1"),
        (broken(samples=2), "samples must be 0, as in the file's head, got 2"),
        (lambda content: content["tokens"].update(right=[2, "x"]), "tokens: right must be a list"),
        (lambda content: content.update(tokens=[]), "tokens must be an object"),
    ],
)
def test_a_corrupt_exact_file_is_refused(tmp_path, edit, message):
    path = tmp_path / "final.json"
    exact_result().save(path)
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))
    with pytest.raises(ResultError, match=message):
        EvalResult.load(path)


def sampled_result(modes, samples=4, tag="final", step=4):
    problems = tuple(
        ProblemResult(id, int(sum(own.values())), samples, modes=own) for id, own in modes.items()
    )
    return EvalResult(tag, step, "toy", samples, 3, 1.0, problems, 2.0, 0.0)


@pytest.mark.parametrize(
    ("modes", "message"),
    [
        ({"x": 2.5, "y": 0.5}, r"modes\['x'\] must be a count of at least 1, got 2.5"),
        ({"x": 0}, "must be a count of at least 1, got 0"),
        ({"x": 2, "y": 1, "z": True}, r"modes\['z'\] must be a count"),
    ],
)
def test_modes_of_samples_are_counts(modes, message):
    with pytest.raises(ResultError, match=message):
        sampled_result({"a": modes})


def run_of(base, final):
    return Run("arm", None, {}, {}, base, (), final, ())  # type: ignore[arg-type]


def test_a_problem_without_two_right_samples_has_no_diversity():
    base = sampled_result({"a": {"x": 2, "y": 1}, "b": {"x": 1}}, tag="base", step=0)
    final = sampled_result({"b": {"x": 2}, "a": {"x": 2}})
    comparison = compare([run_of(base, final)])
    assert comparison.labels == ("pass@1", "pass@2", "pass@4", "modes@4", "diversity")
    assert [round(one.mean, 6) for one in comparison.intervals("base")[3:] if one] == [
        1.5, 0.666667,
    ]  # fmt: skip
    changes = comparison.difference("arm", "base")
    # Of problem a alone both sides have it.
    assert changes[4] is not None
    assert changes[4].mean == pytest.approx(-2 / 3)
    alone = compare([run_of(base, sampled_result({"a": {"x": 1}, "b": {"x": 2}}))])
    assert alone.difference("arm", "base")[4] is None


def test_exact_results_go_through_tables_plots_and_report(tmp_path):
    folder = tmp_path / "arm"
    for one in (
        exact_result("base", 0, 0.5), exact_result("step", 2, 0.7), exact_result(scale=1.2),
    ):  # fmt: skip
        name = f"step-{one.step:06d}" if one.tag == "step" else one.tag
        one.save(folder / "eval" / f"{name}.json")
    out = io.StringIO()
    print_table([folder], out)
    for said in ("3 problems, exact chances", "pass@1024", "modes@1024", "diversity"):
        assert said in out.getvalue()
    assert "length" not in out.getvalue()  # Of completions, none of which was sampled.
    page = write_report([folder], tmp_path / "report").read_text()
    assert "more likely than not hold a correct one" in page
    assert {"pass_at_k.png", "support.png", "history.png"} <= {
        path.name for path in (tmp_path / "report").iterdir()
    }


def test_exact_support_goes_by_even_odds():
    found = support_expansion(exact_result(scale=0.1), exact_result(scale=1.0))
    assert (found.gained, found.kept, found.never) == (("b",), ("a",), ("c",))
    with pytest.raises(ValueError, match="one of the two results was sampled"):
        support_expansion(exact_result(), sampled_result({name: {"x": 1} for name in "abc"}))


def test_a_result_remains_what_it_was_without_modes():
    plain = dataclasses.replace(sampled_result({"a": {}, "b": {}}))
    assert not plain.has_modes
    assert not [name for name in plain.summary() if name.startswith("modes")]
