"""The same stored verdicts by other implementations: those that agree, and two known to err."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

from sage_jax.evaluate import EvalResult, all_pass_at_k, ladder, pass_at_k
from sage_jax.evaluate.completions import Completion, judged, read_completions
from sage_jax.evaluate.counting import as_evaluation, count

PROBLEMS, SAMPLES = 30, 64
GOLDS = {f"p{place:02d}": str(place) for place in range(PROBLEMS)}


@pytest.fixture(scope="module")
def verdicts() -> np.ndarray:
    """[problems, samples]; hard and easy problems, the last one solved by three in four."""
    rng = np.random.default_rng(0)
    rates = [*rng.beta(0.4, 0.8, PROBLEMS - 2), 0.0, 0.75]
    return rng.random((PROBLEMS, SAMPLES)) < np.array(rates)[:, None]


@pytest.fixture(scope="module")
def result(tmp_path_factory, verdicts) -> EvalResult:
    """The evaluation of a file of another program's completions."""
    path = tmp_path_factory.mktemp("stored") / "completions.jsonl"
    answers = np.where(verdicts, np.array([*GOLDS.values()])[:, None], "no")
    lines = [
        Completion(id, f"The answer is {answer}.").line()
        for id, own in zip(GOLDS, answers, strict=True)
        for answer in own
    ]
    path.write_text("".join(lines))
    seen = judged(read_completions(path), judge)
    head = {"tag": "stored", "step": 0, "task": "toy", "seed": 0, "temperature": 0.3}
    return as_evaluation(count(seen, {"toy": GOLDS})["toy"], **head)


def judge(asked):
    answers = [one.completion.removeprefix("The answer is ").rstrip(".") for one in asked]
    return [
        dataclasses.replace(one, answer=answer, correct=answer == GOLDS[one.id])
        for one, answer in zip(asked, answers, strict=True)
    ]


def of_humaneval(n: int, c: int, k: int) -> float:
    """Chen et al.'s estimator as it is published, and as lighteval computes it."""
    if n - c < k:
        return 1.0
    return float(1.0 - np.prod(1.0 - k / np.arange(n - c + 1, n + 1)))


def test_pass_at_k_is_that_of_humaneval_and_lighteval(result, verdicts):
    for k in (*ladder(SAMPLES), 3, 63):
        expected = [of_humaneval(SAMPLES, int(own.sum()), k) for own in verdicts]
        found = result.pass_table([k])[:, 0]
        np.testing.assert_allclose(found, expected, rtol=0, atol=2e-15)
        assert f"{found.mean():.12f}" == f"{np.mean(expected):.12f}"


def test_a_thousand_samples_agree_too():
    correct = np.arange(1025)
    for k in (1, 2, 64, 512, 1023, 1024):
        expected = [of_humaneval(1024, c, k) for c in correct.tolist()]
        np.testing.assert_allclose(pass_at_k(correct, 1024, k), expected, rtol=0, atol=1e-14)
        # G-Pass@k of arXiv 2412.13147 at the threshold 1: k right ones of k drawn.
        expected = stats.hypergeom.sf(k - 1, 1024, correct, k)
        np.testing.assert_allclose(all_pass_at_k(correct, 1024, k), expected, atol=1e-12)


def official(verdicts: np.ndarray) -> dict[str, float]:
    """What SAGE's published evaluation says: pass@1 of the problem it came to last, any of n."""
    pass_1, solved = 0.0, 0
    for own in verdicts:
        pass_1 = float(own.mean())  # Each problem's overwrites that of the one before.
        solved += bool(own.any())
    return {"pass@1": pass_1, "pass@k": solved / len(verdicts)}


def test_the_published_evaluation_says_of_all_problems_what_holds_of_the_last(result, verdicts):
    theirs = official(verdicts)
    ours = result.pass_table([1, 8, SAMPLES])
    assert theirs["pass@1"] == ours[-1, 0]
    assert theirs["pass@1"] - ours[:, 0].mean() > 0.3
    # In another order of problems it says another thing; the unsolved one comes last here.
    turned = np.concatenate([verdicts[:-2], verdicts[:-3:-1]])
    assert official(turned)["pass@1"] == 0.0


def test_any_of_n_is_pass_at_n_and_not_at_k(result, verdicts):
    ours = result.pass_table([8, SAMPLES]).mean(axis=0)
    assert official(verdicts)["pass@k"] == pytest.approx(ours[1])
    assert official(verdicts)["pass@k"] - ours[0] > 0.1
    # It grows with the samples that were drawn, which pass@8 does not.
    fewer = official(verdicts[:, :16])["pass@k"]
    assert fewer < official(verdicts)["pass@k"]
    assert pass_at_k(verdicts[:, :16].sum(axis=1), 16, 8).mean() == pytest.approx(ours[0], abs=0.03)
