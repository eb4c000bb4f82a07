"""majority@k: the chance that the most frequent answer among k samples is the right one."""

from collections.abc import Sequence
from math import comb

import numpy as np

# Beyond this the exact sum costs more than it tells, and C(n, k) nears float64's range.
EXACT_UP_TO = 256


def _check(gold: int, others: Sequence[int], samples: int, k: int) -> None:
    if not 1 <= k <= samples:
        raise ValueError(f"k must lie in 1..{samples} (the number of samples), got {k}")
    if gold < 0 or any(count < 0 for count in others):
        raise ValueError(f"answer counts must not be negative, got {gold} and {list(others)}")
    if gold + sum(others) > samples:
        raise ValueError(
            f"answer counts add up to {gold + sum(others)}, more than the {samples} samples"
        )


def _binomials(number: int, degree: int) -> np.ndarray:
    return np.array([float(comb(number, m)) for m in range(degree + 1)])


def _rivals(counts: Sequence[int], votes: int, degree: int) -> np.ndarray:
    """Ways to draw from rivals none of whom exceeds `votes`: [ties, samples drawn].

    Each rival multiplies the table by sum_{m<votes} C(n_j, m) x^m + u C(n_j, votes) x^votes,
    where u marks a tie.
    """
    table = np.zeros((min(len(counts), degree // votes) + 1, degree + 1))
    table[0, 0] = 1.0
    for count in counts:
        ways = _binomials(count, min(votes, degree))
        grown = np.zeros_like(table)
        for m in range(min(votes - 1, degree) + 1):
            grown[:, m:] += ways[m] * table[:, : degree + 1 - m]
        if votes <= degree:
            grown[1:, votes:] += ways[votes] * table[:-1, : degree + 1 - votes]
        table = grown
    return table


def _wins(gold: int, others: Sequence[int], samples: int, votes: int, degree: int) -> np.ndarray:
    """Subsets in which gold wins with exactly `votes` votes, by the number of other samples."""
    strong = [count for count in others if count >= votes]
    table = _rivals(strong, votes, degree)
    shares = (table / np.arange(1.0, len(table) + 1.0)[:, None]).sum(axis=0)
    # Samples without an answer, and rivals too rare to reach `votes`, may be drawn freely.
    free = _binomials(samples - gold - sum(strong), degree)
    return comb(gold, votes) * np.convolve(shares, free)[: degree + 1]


def majority_exact(gold: int, others: Sequence[int], samples: int, ks: Sequence[int]) -> np.ndarray:
    """majority@k over all size-k subsets of the samples, by generating functions.

    Arguments, ties and errors are those of `majority_at_k`; cost grows as n·k² at worst.

    Returns:
        [len(ks)] float64.
    """
    for k in ks:
        _check(gold, others, samples, k)
    largest = max(ks)
    wins = np.zeros(largest + 1)
    for votes in range(1, min(gold, largest) + 1):
        wins[votes:] += _wins(gold, others, samples, votes, largest - votes)
    return np.array([min(1.0, wins[k] / comb(samples, k)) for k in ks])


def majority_sampled(
    gold: int, others: Sequence[int], samples: int, ks: Sequence[int], *, draws: int, seed: int
) -> np.ndarray:
    """majority@k over `draws` random size-k subsets: unbiased, standard error <= 0.5/sqrt(draws).

    Arguments, ties and errors are those of `majority_at_k`.

    Returns:
        [len(ks)] float64.
    """
    rates = []
    for k in ks:
        _check(gold, others, samples, k)
        rng = np.random.default_rng([seed, k])
        colours = [gold, samples - gold - sum(others), *others]
        drawn = rng.multivariate_hypergeometric(colours, k, size=draws, method="marginals")
        votes, rivals = drawn[:, 0], drawn[:, 2:]
        best = rivals.max(axis=1, initial=0)
        ties = (rivals == votes[:, None]).sum(axis=1)
        rates.append(np.where((votes > 0) & (votes >= best), 1.0 / (1 + ties), 0.0).mean())
    return np.array(rates)


def majority_at_k(
    gold: int,
    others: Sequence[int],
    samples: int,
    ks: Sequence[int],
    *,
    draws: int = 2000,
    seed: int = 0,
) -> np.ndarray:
    """Unbiased majority@k of one problem, from how often each answer was given.

    k of the n samples are drawn without replacement and the most frequent answer wins. Samples
    without an answer do not vote. When t wrong answers tie with the right one, the draw counts
    1/(t+1), as if the winner were picked by lot; when nobody votes, it counts 0. Exact up to
    n = 256, by seeded subsampling beyond.

    Args:
        gold: samples with the right answer.
        others: samples with each of the wrong answers.
        samples: n, at least gold + sum(others); the rest gave no answer.
        ks: sizes of the vote, each 1 <= k <= n.
        draws: subsets per k where n > 256.
        seed: of those subsets.

    Returns:
        [len(ks)] float64, in [0, 1].

    Raises:
        ValueError: k outside 1..n, a negative count, counts adding up to more than n.

    >>> majority_at_k(2, [1, 1], 4, [1, 2, 4]).round(4).tolist()
    [0.5, 0.5, 1.0]
    """
    if not ks:
        return np.zeros(0)
    if samples <= EXACT_UP_TO:
        return majority_exact(gold, others, samples, ks)
    return majority_sampled(gold, others, samples, ks, draws=draws, seed=seed)
