"""Diversity of right answers: how many ways of being right there are among k samples.

Every right answer has a mode, the way in which it is right. Counts are of n samples; chances are
those of a model that was not sampled but whose right answers were all listed.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from sage_jax.evaluate.passk import exact_pass_at_k, pass_at_k


def distinct_at_k(counts: ArrayLike, samples: int, k: int) -> float:
    r"""Unbiased estimate of the number of distinct right modes among k samples of one problem.

    With c_m of n samples right by mode m,

        sum_m 1 - C(n - c_m, k) / C(n, k),

    the mean over all size-k subsets of the n samples: each mode is found as pass@k finds an answer.

    Args:
        counts: [M] whole numbers c_m; their sum is at most n.
        samples: n.
        k: subset size, 1 <= k <= n.

    Raises:
        ValueError: as `pass_at_k`.

    >>> distinct_at_k([1, 1], 4, 2)
    1.0
    """
    counts = np.asarray(counts, np.int64)
    return float(pass_at_k(counts, samples, k).sum())


def exact_distinct_at_k(chances: ArrayLike, k: int) -> float:
    """Expected number of distinct right modes among k samples: sum_m 1 - (1 - p_m)^k.

    Args:
        chances: [M] p_m, the chance that a sample is right by mode m.
        k: at least 1.

    >>> exact_distinct_at_k([0.5, 0.5], 2)
    1.5
    """
    return float(exact_pass_at_k(chances, k).sum())


def diversity(counts: ArrayLike) -> float:
    """Chance that two right answers are of different modes, without bias, from samples.

        1 - sum_m c_m (c_m - 1) / (c (c - 1)),   c = sum_m c_m,

    the share of the pairs of right samples whose modes differ. It estimates 1 - sum_m q_m^2, the
    pairwise diversity PCMD, q_m being the shares of modes among right answers.

    Args:
        counts: [M] right samples of each mode.

    Returns:
        A share; NaN where fewer than two samples are right, which says nothing of it.

    Source: pairwise correct-mode diversity of arXiv 2610.11064.

    >>> diversity([2, 2]), diversity([4])
    (0.6666666666666667, 0.0)
    """
    counts = np.asarray(counts, np.float64)
    pairs = counts.sum() * (counts.sum() - 1)
    return float(1 - (counts * (counts - 1)).sum() / pairs) if pairs > 0 else float("nan")


def exact_diversity(chances: ArrayLike) -> float:
    """The same of chances: 1 - sum_m q_m^2 with q = p / sum p; NaN where nothing is ever right.

    >>> exact_diversity([0.1, 0.1])
    0.5
    """
    shares = _shares(chances)
    return float(1 - (shares**2).sum()) if len(shares) else float("nan")


def effective_modes(counts: ArrayLike) -> float:
    r"""Effective number of right modes, exp of the entropy of their shares, from samples.

    With c_m of c right samples of mode m the entropy is estimated by

        sum_m c_m / c (H_{c-1} - H_{c_m-1}),   H_j = 1 + 1/2 + ... + 1/j,

    without bias for sum_m q_m sum_{v=1}^{c-1} (1 - q_m)^v / v, which is the entropy but for the
    terms v >= c of its series. Shares put into the entropy itself would miss more.

    Args:
        counts: [M] right samples of each mode.

    Returns:
        At least 1; NaN where fewer than two samples are right, which says nothing of it.

    Source: Zhang 2012, Neural Computation 24(5), eq. 4; in this form Chao, Wang and Jost 2013.

    >>> round(effective_modes([50, 50]), 2), effective_modes([4])
    (2.01, 1.0)
    """
    counts = np.asarray(counts, np.int64)
    counts, total = counts[counts > 0], int(counts.sum())
    if total < 2:
        return float("nan")
    harmonic = np.concatenate(([0.0], np.cumsum(1 / np.arange(1, total))))
    return float(np.exp((counts / total * (harmonic[-1] - harmonic[counts - 1])).sum()))


def exact_effective_modes(chances: ArrayLike) -> float:
    """The same of chances: exp of the entropy of q = p / sum p; NaN where nothing is ever right.

    >>> round(exact_effective_modes([0.2, 0.2, 0.0]), 6)
    2.0
    """
    shares = _shares(chances)
    return float(np.exp(-(shares * np.log(shares)).sum())) if len(shares) else float("nan")


def _shares(chances: ArrayLike) -> np.ndarray:
    known = np.asarray(chances, np.float64)
    known = known[known > 0]
    return known / known.sum() if len(known) else known


def of_tokens(
    logps: np.ndarray, entropies: np.ndarray, tokens: np.ndarray, mask: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How sure a model is at each place of the answers that it could give, right or wrong.

    All M worked answers of a problem share beginnings, as a tree does. Of each place it is said how
    much probability comes to it along the tree, how much of that stays on it, and what the
    entropies there are, weighed alike.

    Args:
        logps: [N, M, T] log-probability of each token of M answers to N problems.
        entropies: [N, M, T] of the distribution that each was one of.
        tokens: [N, M, T].
        mask: [N, M, T], 1 on tokens.

    Returns:
        (reached, kept, entropy), each [T], summed over problems: kept / reached is the chance that
        a token is one of a worked answer, given that all before it were, and entropy / reached the
        mean entropy there. The product of the first over all places is the share of samples that
        are a worked answer.
    """
    through = np.exp(np.cumsum(logps * mask, axis=2))
    before = np.concatenate([np.ones_like(through[:, :, :1]), through[:, :, :-1]], axis=2)
    same = tokens[:, :, None] == tokens[:, None]
    sharing = np.cumprod(same, axis=3).sum(axis=2)
    earlier = np.concatenate([np.full_like(sharing[:, :, :1], tokens.shape[1]), sharing], axis=2)
    reaching, keeping = mask * before / earlier[:, :, :-1], mask * through / sharing
    places = (0, 1)
    return reaching.sum(places), keeping.sum(places), (reaching * entropies).sum(places)


def counted(modes: Sequence[str]) -> dict[str, int]:
    """How many samples are right by each mode; "" is none.

    >>> counted(["a", "", "b", "a"])
    {'a': 2, 'b': 1}
    """
    return {mode: modes.count(mode) for mode in dict.fromkeys(modes) if mode}
