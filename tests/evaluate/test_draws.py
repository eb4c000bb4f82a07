from itertools import permutations
from math import comb

import numpy as np
import pytest

from sage_jax.evaluate.draws import draws_at_k, exact_draws_at_k, least_draws


def drawn(order, k: int) -> int:
    """Samples of an order that are drawn until the first right one, at most k."""
    return next((place for place, right in enumerate(order[:k], start=1) if right), k)


@pytest.mark.parametrize("samples", [1, 4, 6])
def test_equals_the_mean_over_all_orders(samples):
    for correct in range(samples + 1):
        orders = [*permutations([True] * correct + [False] * (samples - correct))]
        for k in range(1, samples + 1):
            expected = np.mean([drawn(order, k) for order in orders])
            assert draws_at_k([correct], samples, k) == pytest.approx(expected)


def test_is_unbiased_for_draws_that_stop_at_k():
    samples, rate = 12, 0.15
    correct = np.arange(samples + 1)
    weights = [comb(samples, c) * rate**c * (1 - rate) ** (samples - c) for c in correct.tolist()]
    for k in (1, 5, 12):
        mean = np.dot(weights, draws_at_k(correct, samples, k))
        expected = sum((1 - rate) ** j for j in range(k))
        assert mean == pytest.approx(expected)
        assert exact_draws_at_k([rate], k) == pytest.approx(expected)


def test_at_all_samples_it_is_the_mean_place_of_the_first_right_one():
    correct = np.arange(1, 1025)
    np.testing.assert_allclose(draws_at_k(correct, 1024, 1024), 1025 / (correct + 1))
    assert draws_at_k([0], 1024, 1024) == 1024
    np.testing.assert_allclose(draws_at_k(correct, 1024, 1), 1.0)


def test_known_chances_come_to_their_inverse():
    np.testing.assert_allclose(exact_draws_at_k([0.5, 0.01], 10_000), [2.0, 100.0])
    np.testing.assert_allclose(exact_draws_at_k([0.0, 1e-300], 64), [64, 64])


def test_the_bound_of_an_unsolved_problem_is_the_rate_that_just_could_be():
    for samples in (1, 64, 1024):
        assert (1 - 1 / least_draws(samples)) ** samples == pytest.approx(0.05)
    with pytest.raises(ValueError, match="samples must be at least 1, got 0"):
        least_draws(0)
    with pytest.raises(ValueError, match="level must lie between 0 and 1, got 1"):
        least_draws(4, 1)


def test_refuses_impossible_counts():
    with pytest.raises(ValueError, match="got k=5, n=4"):
        draws_at_k([1], 4, 5)
