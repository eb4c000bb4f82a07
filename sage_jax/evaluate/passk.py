"""pass@k and pass^k: the chance that one of k samples is correct, and that all are, from n."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike


def _counts(name: str, values: ArrayLike, lowest: int) -> np.ndarray:
    array = np.asarray(values)
    if not np.issubdtype(array.dtype, np.integer):
        raise ValueError(f"{name} must be whole numbers, got dtype {array.dtype}")
    if array.size and array.min() < lowest:
        raise ValueError(f"{name} must be at least {lowest}, got {array.min()}")
    return array.astype(np.int64)


def _log_missed(samples: int, k: int) -> np.ndarray:
    """Log of the chance that k of n samples hold none of m of them, for each m from 0 to n."""
    divisors = samples - np.arange(samples)
    # A sum of log1p from the largest divisor down keeps the digits of tiny chances, which a
    # quotient of binomials loses, and nothing overflows as C(4096, 2048) would.
    with np.errstate(divide="ignore"):
        logs = np.log1p(-np.minimum(k / divisors, 1.0))
    return np.concatenate(([0.0], np.cumsum(logs)))


def _checked(correct: ArrayLike, samples: ArrayLike, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Counts c and n of each problem, of which k can be drawn."""
    hits, drawn = np.broadcast_arrays(
        _counts("correct", correct, 0), _counts("samples", samples, 1)
    )
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    if drawn.size and k > drawn.min():
        raise ValueError(f"k must not exceed the number of samples, got k={k}, n={drawn.min()}")
    if np.any(hits > drawn):
        worst = int(np.argmax(hits > drawn))
        raise ValueError(
            f"correct must not exceed samples, got {hits.flat[worst]} of {drawn.flat[worst]}"
        )
    return hits, drawn


def _looked_up(table: Callable[[int], np.ndarray], marked: np.ndarray, drawn: np.ndarray):
    """table(n)[m] of each problem."""
    found = np.zeros(marked.shape)
    for number in np.unique(drawn):
        rows = drawn == number
        found[rows] = table(int(number))[marked[rows]]
    return found


def pass_at_k(correct: ArrayLike, samples: ArrayLike, k: int) -> np.ndarray:
    r"""Unbiased estimate of pass@k for each problem.

    With c of n samples correct,

        pass@k = 1 - C(n-c, k) / C(n, k) = 1 - prod_{i=n-c+1}^{n} (1 - k/i),

    the share of size-k subsets of the n samples that hold a correct one.

    Args:
        correct: [Q] whole numbers c, correct samples of each problem.
        samples: n, one for all problems or [Q].
        k: subset size, 1 <= k <= n.

    Returns:
        [Q] float64, in [0, 1].

    Raises:
        ValueError: k < 1 or k > n, a count that is negative, not whole, or c > n.

    Source: Chen et al. 2021, arXiv 2107.03374, eq. 1.

    >>> pass_at_k([0, 1, 2, 4], 4, 2).round(4).tolist()
    [0.0, 0.5, 0.8333, 1.0]
    """
    hits, drawn = _checked(correct, samples, k)
    if k == 1:
        return hits / drawn  # To the last bit, so that 43.75% is not shown as 43.7 by rounding.
    return _looked_up(lambda n: 0.0 - np.expm1(_log_missed(n, k)), hits, drawn)


def exact_pass_at_k(chances: ArrayLike, k: int) -> np.ndarray:
    """pass@k where the chance p that one sample is right is known: 1 - (1 - p)^k.

    Args:
        chances: [Q] numbers in [0, 1].
        k: at least 1.

    Raises:
        ValueError: k < 1, or a chance outside [0, 1].

    >>> exact_pass_at_k([0.0, 0.5, 1.0], 2).tolist()
    [0.0, 0.75, 1.0]
    """
    chances = _chances(chances, k)
    with np.errstate(divide="ignore"):
        return 0.0 - np.expm1(k * np.log1p(-chances))


def all_pass_at_k(correct: ArrayLike, samples: ArrayLike, k: int) -> np.ndarray:
    r"""Unbiased estimate of pass^k, the chance that all of k samples are correct, of each problem.

    With c of n samples correct,

        pass^k = C(c, k) / C(n, k) = prod_{i=c+1}^{n} (1 - k/i),

    the share of size-k subsets of the n samples that hold correct ones alone. At k = 1 it is
    pass@1; while pass@k rises with k, it falls: how far a model may be relied on.

    Arguments, shapes and errors are those of `pass_at_k`.

    Source: Yao et al. 2024, arXiv 2406.12045 (tau-bench), section 3.

    >>> all_pass_at_k([0, 1, 2, 4], 4, 2).round(4).tolist()
    [0.0, 0.0, 0.1667, 1.0]
    """
    hits, drawn = _checked(correct, samples, k)
    if k == 1:
        return hits / drawn
    return _looked_up(lambda n: np.exp(_log_missed(n, k)), drawn - hits, drawn)


def exact_all_pass_at_k(chances: ArrayLike, k: int) -> np.ndarray:
    """pass^k where the chance p that one sample is right is known: p^k.

    >>> exact_all_pass_at_k([0.0, 0.5, 1.0], 2).tolist()
    [0.0, 0.25, 1.0]
    """
    return _chances(chances, k) ** k


def _chances(chances: ArrayLike, k: int) -> np.ndarray:
    known = np.asarray(chances, np.float64)
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    if not np.all((known >= 0) & (known <= 1)):
        raise ValueError(f"chances must lie in [0, 1], got {known}")
    return known


def ladder(samples: int) -> tuple[int, ...]:
    """Powers of two up to the number of samples: the k at which curves are drawn.

    >>> ladder(64)
    (1, 2, 4, 8, 16, 32, 64)
    >>> ladder(6)
    (1, 2, 4)
    """
    if samples < 1:
        raise ValueError(f"samples must be at least 1, got {samples}")
    return tuple(2**power for power in range(int(samples).bit_length()))
