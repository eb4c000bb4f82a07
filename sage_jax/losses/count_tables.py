"""Advantages of a right and of a wrong sample when c of the N samples of a prompt are right.

Each function gives a table of N + 1 pairs (right, wrong), one for every c, computed in exact
arithmetic and rounded once; the right of c = 0 and the wrong of c = N, which nothing has, are 0.
`counts.of_counts` applies one; what each is for is told there. Below, f = N − c are wrong,
C(a, b) counts the ways to choose, and

    hit(f, n, k) = 1 − C(f, k) / C(n, k)

is the chance that k of n samples, f of them wrong, hold a right one. A = (r − c/N) / (std + ε), by
the group's standard deviation (ddof 1), is the group's usual advantage.
"""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Literal

from ._groups import check_size

Table = tuple[tuple[float, float], ...]
Number = float | Fraction
Baseline = Literal["none", "loo", "loo_minus_one"]
Scale = Literal["group", "none"]


def w_reinforce(group_size: int, *, positive: float = 0.1) -> Table:
    """(positive, −1) for every c.

    >>> w_reinforce(2, positive=0.5)
    ((0.0, -1.0), (0.5, -1.0), (0.5, 0.0))
    """
    _at_least("positive", positive, 0)
    return _table(group_size, lambda c: positive, lambda c: -1)


def pass_at_k(group_size: int, *, k: int, scale: Scale = "group") -> Table:
    """R = hit(f, N, k); right (1 − R) / σ, wrong (1 − R − C(f−1, k−1) / C(N−1, k−1)) / σ.

    σ = √(R(1 − R)), and all is 0 where that is 0; `scale` "none" leaves σ out.

    >>> pass_at_k(2, k=1)  # R is 0, 1/2, 1
    ((0.0, 0.0), (1.0, -1.0), (0.0, 0.0))
    """
    check_k(k, group_size, group_size - 1, "with k = group_size every advantage is 0")
    if scale not in ("group", "none"):
        raise ValueError(f"scale is {scale!r}; it must be group or none")

    def scaled(value: Fraction, c: int) -> float:
        hits = hit(group_size - c, group_size, k)
        sigma = math.sqrt(hits * (1 - hits)) if scale == "group" else 1.0
        return float(value) / sigma if sigma else 0.0

    def right(c: int) -> float:
        return scaled(1 - hit(group_size - c, group_size, k), c)

    def wrong(c: int) -> float:
        f = group_size - c
        return scaled(hit(f - 1, group_size - 1, k - 1) - hit(f, group_size, k), c)

    return _table(group_size, right, wrong)


def pkpo(group_size: int, *, k: int, baseline: Baseline = "loo_minus_one") -> Table:
    """Hit of a sample and k − 1 others, less the hit of m others, times k.

    m is k for the baseline "loo" and k − 1 for "loo_minus_one"; "none" subtracts nothing.

    >>> pkpo(3, k=2)
    ((0.0, 0.0), (2.0, 0.0), (1.0, 0.0), (0.0, 0.0))
    """
    draws = draws_of(k, group_size, baseline)

    def less(value: Number, f: int) -> Number:
        """Minus the baseline, with f of the others wrong."""
        return k * (value - (hit(f, group_size - 1, draws) if draws else 0))

    def right(c: int) -> Number:
        return less(1, group_size - c)

    def wrong(c: int) -> Number:
        f = group_size - c - 1
        return less(hit(f, group_size - 1, k - 1), f)

    return _table(group_size, right, wrong)


def maxrl(group_size: int, *, truncation: int | None = None, zero_all_wrong: bool = True) -> Table:
    """Right N · hit(f, N, T) / c − 1, wrong −1; T = `truncation`, and N if that is None.

    With `zero_all_wrong` a group without a right sample has 0.

    >>> maxrl(4)
    ((0.0, 0.0), (3.0, -1.0), (1.0, -1.0), (0.3333333333333333, -1.0), (0.0, 0.0))
    """
    t = group_size if truncation is None else truncation
    check_k(t, group_size, group_size, "no more samples are there", name="truncation")

    def right(c: int) -> Fraction:
        return group_size * hit(group_size - c, group_size, t) / c - 1

    return _table(group_size, right, lambda c: 0 if zero_all_wrong and c == 0 else -1)


def focal(group_size: int, *, gamma: float = 0.5, epsilon: float = 1e-4) -> Table:
    """A · (1 − c/N)^gamma.

    >>> focal(4, gamma=1.0, epsilon=0.0)[3]  # A is 1/2 and −3/2, for std is 1/2
    (0.125, -0.375)
    """
    _at_least("gamma", gamma, 0)
    return _weighted(group_size, lambda c: (1 - c / group_size) ** gamma, epsilon)


def posterior(group_size: int, *, k: int = 16, tau: float = 0.01, epsilon: float = 1e-4) -> Table:
    """A · u(c) / u(1), u(c) = k Π_{j=1}^{k−1} (f + j) / (N + 1 + j); 0 where u(c) < tau (N + 1).

    >>> posterior(4, k=2, epsilon=0.0)[3]  # A is 1/2 and −3/2, u(3)/u(1) = (1 + 1)/(3 + 1)
    (0.25, -0.75)
    """
    check_size(group_size)
    check_k(k, group_size, None, "")
    _at_least("tau", tau, 0)

    def u(c: int) -> Fraction:
        f = group_size - c
        factors = (Fraction(f + j, group_size + 1 + j) for j in range(1, k))
        return k * math.prod(factors, start=Fraction(1))

    def weight(c: int) -> Fraction:
        return Fraction(0) if u(c) < Fraction(str(tau)) * (group_size + 1) else u(c) / u(1)

    return _weighted(group_size, weight, epsilon)


def flat_half(group_size: int, *, epsilon: float = 1e-4) -> Table:
    """A, divided by 2 √(p(1 − p)) where p = c/N > 1/2.

    >>> [round(right * c, 2) for c, (right, _) in enumerate(flat_half(4))]  # √(3/4) · 2 from 1/2 on
    [0.0, 1.5, 1.73, 1.73, 0.0]
    """

    def weight(c: int) -> float:
        p = c / group_size
        return 0.5 / math.sqrt(p * (1 - p)) if 0.5 < p < 1 else 1.0

    return _weighted(group_size, weight, epsilon)


def quantile(group_size: int, *, at: float = 0.4, epsilon: float = 1e-4) -> Table:
    """(r − b) / (std + ε), b the lowest reward that a share `at` of the group does not exceed.

    b = 0 where c/N <= 1 − at and 1 elsewhere; `at` counts as the decimal that is written.

    >>> [(right > 0, wrong < 0) for right, wrong in quantile(5)]
    [(False, False), (True, False), (True, False), (True, False), (False, True), (False, False)]
    """
    if not 0 < at < 1:
        raise ValueError(f"at is {at!r}; it must be between 0 and 1")
    check_size(group_size)

    def base(c: int) -> int:
        return 0 if Fraction(c, group_size) <= 1 - Fraction(str(at)) else 1

    over = _over_std(group_size, epsilon)
    return _table(group_size, lambda c: over(1 - base(c), c), lambda c: over(-base(c), c))


def hit(f: int, n: int, k: int) -> Fraction:
    """Chance that k of n samples, of which f are wrong, hold a right one.

    >>> hit(2, 4, 2)  # One of six pairs is wrong altogether.
    Fraction(5, 6)
    """
    return 1 - Fraction(math.comb(f, k), math.comb(n, k))


def draws_of(k: int, group_size: int, baseline: Baseline) -> int:
    """How many others the baseline is the best of; 0 for none.

    Raises ValueError for another baseline, and for a k that leaves it too few samples.
    """
    match baseline:
        case "none":
            check_k(k, group_size, group_size, "no more samples are there")
            return 0
        case "loo":
            check_k(k, group_size, group_size - 1, "the baseline is the best of k others")
            return k
        case "loo_minus_one":
            why = "the baseline is the best of k - 1 others"
            check_k(k, group_size, group_size, why, low=2)
            return k - 1
        case _:
            raise ValueError(f"baseline is {baseline!r}; it must be none, loo or loo_minus_one")


def check_k(
    k: int, group_size: int, high: int | None, why: str, *, low: int = 1, name: str = "k"
) -> None:
    """Raise ValueError for what is no whole number from `low` to `high`."""
    check_size(group_size)
    if isinstance(k, int) and low <= k and (high is None or k <= high):
        return
    if high is None:
        raise ValueError(f"{name} is {k!r}; it must be a whole number, at least {low}")
    span = f"{low} to {high}" if high > low else f"{low}"
    raise ValueError(
        f"{name} is {k!r}; it must be a whole number of {span} with group_size {group_size}: {why}"
    )


def _at_least(name: str, value: float, low: float) -> None:
    if not low <= value < math.inf:
        raise ValueError(f"{name} is {value!r}; it must be {low} or more")


def _table(
    group_size: int, right: Callable[[int], Number], wrong: Callable[[int], Number]
) -> Table:
    """What the two give for every c at which there is such a sample."""
    check_size(group_size)
    rights = [0.0, *(float(right(c)) for c in range(1, group_size + 1))]
    wrongs = [*(float(wrong(c)) for c in range(group_size)), 0.0]
    return tuple(zip(rights, wrongs, strict=True))


def _weighted(group_size: int, weight: Callable[[int], Number], epsilon: float) -> Table:
    """The group's usual advantage times a weight of c."""
    over = _over_std(group_size, epsilon)
    return _table(
        group_size,
        lambda c: weight(c) * over(1 - c / group_size, c),
        lambda c: weight(c) * over(-c / group_size, c),
    )


def _over_std(group_size: int, epsilon: float) -> Callable[[float, int], float]:
    """(value, c) -> value / (std + epsilon); 0 where all rewards are equal."""
    check_size(group_size)
    _at_least("epsilon", epsilon, 0)

    def over(value: float, c: int) -> float:
        std = math.sqrt(c * (group_size - c) / (group_size * (group_size - 1)))
        return value / (std + epsilon) if std else 0.0

    return over
