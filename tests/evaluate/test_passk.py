from itertools import combinations
from math import comb

import numpy as np
import pytest

from sage_jax.evaluate import all_pass_at_k, ladder, pass_at_k
from sage_jax.evaluate.passk import exact_all_pass_at_k


def enumerated(correct: int, samples: int, k: int, solved=any) -> float:
    verdicts = [True] * correct + [False] * (samples - correct)
    subsets = list(combinations(verdicts, k))
    return sum(solved(subset) for subset in subsets) / len(subsets)


@pytest.mark.parametrize("samples", [1, 2, 5, 8])
def test_equals_enumeration_of_all_subsets(samples):
    correct = np.arange(samples + 1)
    for k in range(1, samples + 1):
        expected = [enumerated(c, samples, k) for c in correct]
        np.testing.assert_allclose(pass_at_k(correct, samples, k), expected, rtol=1e-13, atol=0)
        expected = [enumerated(c, samples, k, all) for c in correct]
        np.testing.assert_allclose(all_pass_at_k(correct, samples, k), expected, rtol=1e-13, atol=0)


@pytest.mark.parametrize("k", [1, 3, 64, 1000, 4095, 4096])
def test_equals_exact_integer_arithmetic_at_4096_samples(k):
    samples = 4096
    correct = np.array([0, 1, 2, 17, 500, 2048, 4000, 4095, 4096])
    whole = comb(samples, k)
    expected = [(whole - comb(samples - c, k)) / whole for c in correct.tolist()]
    np.testing.assert_allclose(pass_at_k(correct, samples, k), expected, rtol=1e-12, atol=0)
    # Below the smallest float a chance is 0.
    expected = [comb(c, k) / whole for c in correct.tolist()]
    found = all_pass_at_k(correct, samples, k)
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-300)


def test_is_monotone_bounded_and_exact_at_the_ends():
    correct = np.arange(4097)
    curve = np.stack([pass_at_k(correct, 4096, k) for k in ladder(4096)])
    assert ((curve >= 0) & (curve <= 1)).all()
    assert (np.diff(curve, axis=0) >= 0).all()
    assert (np.diff(curve, axis=1) >= 0).all()
    np.testing.assert_array_equal(curve[-1], correct > 0)
    np.testing.assert_allclose(curve[0], correct / 4096, rtol=1e-12)


def test_all_right_is_none_wrong_and_one_sample_is_one_sample():
    correct = np.arange(1025)
    for k in (1, 7, 1024):
        found, wrong = all_pass_at_k(correct, 1024, k), pass_at_k(1024 - correct, 1024, k)
        np.testing.assert_allclose(found, 1 - wrong, atol=1e-12)
        assert (found <= pass_at_k(correct, 1024, k) + 1e-12).all()
    for of in (pass_at_k, all_pass_at_k):
        np.testing.assert_array_equal(of(correct, 1024, 1), correct / 1024)
    np.testing.assert_array_equal(all_pass_at_k(correct, 1024, 1024), correct == 1024)


def test_all_right_is_unbiased_for_the_power_of_the_chance():
    rate, samples, k = 0.7, 9, 4
    correct = np.arange(samples + 1)
    weights = [comb(samples, c) * rate**c * (1 - rate) ** (samples - c) for c in correct.tolist()]
    mean = np.dot(weights, all_pass_at_k(correct, samples, k))
    np.testing.assert_allclose(mean, exact_all_pass_at_k([rate], k))
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        exact_all_pass_at_k([rate], 0)


def test_is_unbiased():
    rng = np.random.default_rng(0)
    rate, samples, k = 0.07, 20, 8
    estimates = pass_at_k(rng.binomial(samples, rate, size=200_000), samples, k)
    assert estimates.mean() == pytest.approx(1 - (1 - rate) ** k, abs=4 * estimates.std() / 447)


def test_problems_may_have_different_numbers_of_samples():
    mixed = pass_at_k([1, 1, 3], [4, 8, 8], 4)
    np.testing.assert_allclose(mixed, [1.0, enumerated(1, 8, 4), enumerated(3, 8, 4)])


def test_no_problems_give_no_estimates():
    assert pass_at_k(np.zeros(0, int), 4, 2).shape == (0,)


@pytest.mark.parametrize(
    ("correct", "samples", "k", "message"),
    [
        ([1], 4, 5, r"k must not exceed the number of samples, got k=5, n=4"),
        ([1, 1], [8, 4], 5, r"got k=5, n=4"),
        ([1], 4, 0, r"k must be at least 1, got 0"),
        ([5], 4, 1, r"correct must not exceed samples, got 5 of 4"),
        ([-1], 4, 1, r"correct must be at least 0, got -1"),
        ([0], 0, 1, r"samples must be at least 1, got 0"),
        ([0.5], 4, 1, r"correct must be whole numbers, got dtype float64"),
    ],
)
def test_refuses_impossible_counts(correct, samples, k, message):
    with pytest.raises(ValueError, match=message):
        pass_at_k(correct, samples, k)


def test_ladder_holds_the_powers_of_two():
    assert ladder(1) == (1,)
    assert ladder(100) == (1, 2, 4, 8, 16, 32, 64)
    assert ladder(4096)[-1] == 4096
    with pytest.raises(ValueError, match="at least 1, got 0"):
        ladder(0)
