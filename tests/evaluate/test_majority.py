from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from sage_jax.evaluate.majority import majority_at_k, majority_exact, majority_sampled


def enumerated(gold: int, others: list[int], samples: int, k: int) -> float:
    votes = ["gold"] * gold
    for name, count in enumerate(others):
        votes += [f"wrong {name}"] * count
    votes += [None] * (samples - len(votes))
    wins = []
    for subset in combinations(votes, k):
        counts = Counter(vote for vote in subset if vote is not None)
        best = max(counts.values(), default=0)
        winners = [vote for vote, count in counts.items() if count == best]
        wins.append(("gold" in winners) / max(1, len(winners)))
    return float(np.mean(wins))


CASES = [
    (3, [2, 1], 7),
    (2, [2, 2], 6),
    (1, [1, 1, 1, 1], 8),
    (0, [3, 2], 6),
    (5, [], 8),
    (2, [4, 1], 8),
    (8, [], 8),
    (0, [], 4),
    (4, [4], 9),
]


@pytest.mark.parametrize(("gold", "others", "samples"), CASES)
def test_exact_equals_enumeration_of_all_votes(gold, others, samples):
    ks = range(1, samples + 1)
    expected = [enumerated(gold, others, samples, k) for k in ks]
    np.testing.assert_allclose(
        majority_exact(gold, others, samples, list(ks)), expected, rtol=1e-12
    )


@pytest.mark.parametrize("seed", range(5))
def test_exact_equals_enumeration_of_random_votes(seed):
    rng = np.random.default_rng(seed)
    gold, *others, _ = rng.multinomial(10, rng.dirichlet(np.ones(5))).tolist()
    ks = [1, 3, 6, 10]
    expected = [enumerated(gold, others, 10, k) for k in ks]
    np.testing.assert_allclose(majority_exact(gold, others, 10, ks), expected, rtol=1e-12)


def test_sampled_agrees_with_exact_and_repeats_itself():
    gold, others, samples, ks = 30, [28, 20, 5, 1, 1], 100, [1, 2, 7, 32, 64, 100]
    exact = majority_exact(gold, others, samples, ks)
    drawn = majority_sampled(gold, others, samples, ks, draws=20_000, seed=3)
    np.testing.assert_allclose(drawn, exact, atol=4 * 0.5 / np.sqrt(20_000))
    again = majority_sampled(gold, others, samples, ks, draws=20_000, seed=3)
    np.testing.assert_array_equal(drawn, again)


def test_large_numbers_of_samples_are_subsampled():
    rates = majority_at_k(1500, [1400, 600], 4096, [1, 64, 4096])
    assert rates[0] == pytest.approx(1500 / 4096, abs=0.05)
    assert rates[-1] == 1.0
    np.testing.assert_array_equal(rates, majority_at_k(1500, [1400, 600], 4096, [1, 64, 4096]))


def test_a_tie_is_shared_and_one_vote_is_pass_at_1():
    np.testing.assert_allclose(majority_at_k(2, [2], 4, [1, 4]), [0.5, 0.5])
    np.testing.assert_allclose(majority_at_k(3, [3, 3], 9, [9]), [1 / 3])


def test_silent_samples_do_not_vote():
    np.testing.assert_allclose(majority_at_k(1, [], 64, [1, 64]), [1 / 64, 1.0])


def test_exact_is_quick_and_finite_at_its_largest():
    rates = majority_at_k(100, [1] * 56 + [50, 50], 256, [1, 16, 64, 256])
    assert np.isfinite(rates).all()
    assert rates[-1] == pytest.approx(1.0)


def test_no_k_gives_no_figures():
    assert majority_at_k(1, [], 2, []).shape == (0,)


@pytest.mark.parametrize(
    ("gold", "others", "samples", "k", "message"),
    [
        (1, [1], 4, 5, r"k must lie in 1..4 \(the number of samples\), got 5"),
        (1, [1], 4, 0, r"got 0"),
        (-1, [1], 4, 1, "must not be negative, got -1"),
        (1, [-2], 4, 1, r"must not be negative, got 1 and \[-2\]"),
        (3, [2], 4, 1, "add up to 5, more than the 4 samples"),
    ],
)
def test_refuses_impossible_counts(gold, others, samples, k, message):
    with pytest.raises(ValueError, match=message):
        majority_at_k(gold, others, samples, [k])
