"""Advantages for the best of k samples, with real rewards."""

import math

import jax
import jax.numpy as jnp

from . import count_tables
from ._arrays import Array
from ._groups import flat, grouped


def max_at_k(
    rewards: Array,
    *,
    group_size: int,
    k: int,
    baseline: count_tables.Baseline = "loo_minus_one",
) -> Array:
    """Unbiased gradient of E[best reward of k samples] (PKPO, arXiv 2505.15201).

    k · mean over the k − 1 others S of [max(S ∪ i) − max S] for the baseline "loo_minus_one"; "loo"
    takes the best of k others instead, "none" nothing. Rewards are sorted in each group, and one
    constant matrix does the rest. The mean over a prompt's samples of A · ∇log π is the gradient.
    With rewards of 0 and 1 it is `counts.pkpo`, with k = 1 and "loo" it is `rloo`.
    Raises ValueError for a k out of range or another baseline.

    >>> print(max_at_k(jnp.array([3.0, 1.0, 0.0]), group_size=3, k=2))
    [5. 1. 0.]
    """
    groups = grouped(rewards, group_size)
    weights = jnp.asarray(_weights(group_size, k, baseline), groups.dtype)
    if baseline != "none":  # Rows then sum to 0; this way equal rewards give 0 to the last bit.
        groups = groups - jnp.min(groups, axis=1, keepdims=True)
    order = jnp.argsort(groups, axis=1)
    ascending = jnp.take_along_axis(groups, order, axis=1)
    found = jnp.matmul(ascending, weights.T, precision=jax.lax.Precision.HIGHEST)
    return flat(jnp.take_along_axis(found, jnp.argsort(order, axis=1), axis=1))


def _weights(n: int, k: int, baseline: count_tables.Baseline) -> list[list[float]]:
    """[n, n]: what the advantage of the i-th lowest reward takes of the j-th."""
    draws = count_tables.draws_of(k, n, baseline)

    def weight(i: int, j: int) -> float:
        rank = j if j < i else j - 1  # Among the others.
        with_it = _chosen(j, k - 1) if i == j else _chosen(rank, k - 2) if j > i else 0
        without = _chosen(rank, draws - 1) if draws and i != j else 0
        return k * (with_it / math.comb(n - 1, k - 1) - without / math.comb(n - 1, draws))

    return [[weight(i, j) for j in range(n)] for i in range(n)]


def _chosen(a: int, b: int) -> int:
    return math.comb(a, b) if b >= 0 else 0
