"""How many samples it takes until one is right."""

import numpy as np
from numpy.typing import ArrayLike

from sage_jax.evaluate.passk import exact_pass_at_k, pass_at_k


def draws_at_k(correct: ArrayLike, samples: ArrayLike, k: int) -> np.ndarray:
    r"""Unbiased estimate of the samples drawn until one is right, stopping after k at the latest.

    Who draws one sample after the other, stops at the first right one and gives up after k, draws

        E[min(K, k)] = sum_{j<k} (1 - p)^j = sum_{j<k} (1 - pass@j),   K ~ geometric(p),

    of which each term has an unbiased estimate. With c of n samples right the sum closes to

        ((n + 1) - (n + 1 - k) (1 - pass@k)) / (c + 1).

    At k = n that is (n + 1) / (c + 1) where c > 0, the mean place of the first right sample when
    the n are shuffled, and n where none is right. The bound by k is needed: the mean of K itself
    is 1/p, which is endless for one problem that is never solved, and has no unbiased estimate.

    Args:
        correct: [Q] whole numbers c, correct samples of each problem.
        samples: n, one for all problems or [Q].
        k: the most samples drawn, 1 <= k <= n.

    Returns:
        [Q] float64, from 1 to k.

    Raises:
        ValueError: as `pass_at_k`.

    >>> draws_at_k([0, 1, 4], 4, 4).tolist()
    [4.0, 2.5, 1.0]
    """
    missed = 1 - pass_at_k(correct, samples, k)
    one_more = np.asarray(samples, np.float64) + 1
    return (one_more - (one_more - k) * missed) / (np.asarray(correct) + 1)


def exact_draws_at_k(chances: ArrayLike, k: int) -> np.ndarray:
    """The same where the chance p of a right sample is known: (1 - (1 - p)^k) / p; k where p is 0.

    >>> exact_draws_at_k([0.0, 0.5, 1.0], 2).tolist()
    [2.0, 1.5, 1.0]
    """
    solved, chances = exact_pass_at_k(chances, k), np.asarray(chances, np.float64)
    return np.divide(solved, chances, out=np.full(chances.shape, float(k)), where=chances > 0)


def least_draws(samples: int, level: float = 0.95) -> float:
    """What 1/p is at least, at that level, for a problem that none of n samples solved.

    None of n right is likelier than 1 - level only while p <= 1 - (1 - level)^(1/n), about 3/n at
    95%: so one right sample takes more than about n/3 on average.

    Raises:
        ValueError: no samples, or a level outside (0, 1).

    >>> round(least_draws(64), 1)
    21.9
    """
    if samples < 1:
        raise ValueError(f"samples must be at least 1, got {samples}")
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
    return float(-1 / np.expm1(np.log1p(-level) / samples))
