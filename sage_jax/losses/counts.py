"""Advantages that depend on how many of the N samples of a prompt are right, and on nothing else.

A rule here is a table of N + 1 pairs (right, wrong), see `count_tables`, made once when a step is
traced, and one gather a step. A sample is right if its reward is above `right_above`; whatever else
a reward says is not seen, so a KL in the reward has no effect. For real rewards take
`best_of.max_at_k`.

Where a rule has an objective, the mean over a prompt's samples of A · ∇log π is its gradient in
expectation. Papers that write the sum over the samples give 1/N of the advantages here. p is the
chance of a right sample, c of N are right, f wrong.

All take rewards [B], B = N · group_size with rows of one prompt adjacent, and give [B], float32 or
better and constant under the gradient. Arguments out of range raise ValueError, when a step is
traced.
"""

from collections.abc import Sequence

import jax.numpy as jnp
from jax.typing import ArrayLike

from . import count_tables as tables
from ._arrays import Array, like
from ._groups import flat, grouped


def of_counts(
    rewards: Array,
    table: Array | Sequence[Sequence[float]],
    *,
    group_size: int,
    right_above: ArrayLike = 0.5,
) -> Array:
    """table[c] = (right, wrong) for a group of which c rewards are above `right_above`.

    `table` has group_size + 1 rows and may be traced. A reward that is no number gives its whole
    group none, so that guards see it. Raises ValueError for a table of another shape.

    >>> print(of_counts(jnp.array([1.0, 0.0]), [(0, -1), (2, -3), (4, 0)], group_size=2))
    [ 2. -3.]
    """
    groups = grouped(rewards, group_size)
    pairs = like(table if isinstance(table, Array) else jnp.array(table), groups)
    if pairs.shape != (group_size + 1, 2):
        raise ValueError(
            f"table has shape {pairs.shape}; it must be {(group_size + 1, 2)}, a pair for each "
            f"count of {group_size}"
        )
    right = groups > like(right_above, groups)
    chosen = pairs[jnp.sum(right, axis=1)]
    found = jnp.where(right, chosen[:, :1], chosen[:, 1:])
    lost = jnp.any(jnp.isnan(groups), axis=1, keepdims=True)
    return flat(jnp.where(lost, jnp.full((), jnp.nan, found.dtype), found))


def w_reinforce(
    rewards: Array, *, group_size: int, positive: float = 0.1, right_above: float = 0.5
) -> Array:
    """`positive` for a right sample and −1 for a wrong one (W-REINFORCE, arXiv 2506.01347).

    The paper's λ is `positive`: 0 learns from wrong samples alone (NSR), 1 weighs both alike. The
    expected gradient is (1 + positive) · ∇p whatever it is: it sets how the noise is shared, and
    what several updates of one rollout do.

    >>> print(w_reinforce(jnp.array([1.0, 0.0]), group_size=2, positive=0.5))
    [ 0.5 -1. ]
    """
    table = tables.w_reinforce(group_size, positive=positive)
    return of_counts(rewards, table, group_size=group_size, right_above=right_above)


def pass_at_k(
    rewards: Array,
    *,
    group_size: int,
    k: int,
    scale: tables.Scale = "group",
    right_above: float = 0.5,
) -> Array:
    """Pass@k of subsets, less its mean, by its standard deviation (arXiv 2508.10751, eq. 14, 15).

    With R = 1 − C(f, k)/C(N, k) and σ = √(R(1 − R)): right (1 − R)/σ, wrong
    (1 − R − C(f−1, k−1)/C(N−1, k−1))/σ, 0 where σ = 0. The mean of a group is 0. `scale` "none"
    leaves σ out; the expected gradient is then (1/k − 1/N) · ∇pass@k, and so k is below group_size.

    >>> print(pass_at_k(jnp.array([1.0, 0.0, 0.0, 0.0]), group_size=4, k=2, scale="none"))
    [ 0.5        -0.16666667 -0.16666667 -0.16666667]
    """
    table = tables.pass_at_k(group_size, k=k, scale=scale)
    return of_counts(rewards, table, group_size=group_size, right_above=right_above)


def pkpo(
    rewards: Array,
    *,
    group_size: int,
    k: int,
    baseline: tables.Baseline = "loo_minus_one",
    right_above: float = 0.5,
) -> Array:
    """Unbiased gradient of pass@k = 1 − (1 − p)^k (PKPO, arXiv 2505.15201, eq. 29, 33).

    k · [a sample or one of k − 1 others is right] − k · [one of m others is right], averaged over
    the choices of others. `baseline` "loo_minus_one" has m = k − 1 and the least noise: right
    k · C(f, k−1)/C(N−1, k−1), wrong 0. "loo" has m = k, and is `rloo` at k = 1; "none" has none.
    "loo" weighs its baseline by k where the paper has k · N/(N − 1), under which equal rewards
    would still push.

    >>> print(pkpo(jnp.array([1.0, 0.0, 0.0]), group_size=3, k=2))
    [2. 0. 0.]
    """
    table = tables.pkpo(group_size, k=k, baseline=baseline)
    return of_counts(rewards, table, group_size=group_size, right_above=right_above)


def maxrl(
    rewards: Array,
    *,
    group_size: int,
    truncation: int | None = None,
    zero_all_wrong: bool = True,
    right_above: float = 0.5,
) -> Array:
    """Gradient of log p, cut after T terms: −Σ_{k≤T} (1 − p)^k / k (MaxRL, arXiv 2602.02710).

    Right (1 − C(f, T)/C(N, T)) · N/c − 1, wrong −1; T = `truncation`, None for group_size, where
    that is f/c and the mean of a group is 0. As in the paper's code a group without a right sample
    teaches nothing; with `zero_all_wrong` false it has −1, and only then the gradient is unbiased:
    zeroing takes (1 − p)^(N−1) · ∇p away, which at T = N is the last term, and makes it T = N − 1.

    >>> print(maxrl(jnp.array([1.0, 0.0, 0.0]), group_size=3))
    [ 2. -1. -1.]
    """
    table = tables.maxrl(group_size, truncation=truncation, zero_all_wrong=zero_all_wrong)
    return of_counts(rewards, table, group_size=group_size, right_above=right_above)


def focal(
    rewards: Array,
    *,
    group_size: int,
    gamma: float = 0.5,
    epsilon: float = 1e-4,
    right_above: float = 0.5,
) -> Array:
    """`group` · (1 − c/N)^gamma, c of N right: less for easy prompts (F-GRPO, arXiv 2602.06717).

    `gamma` 0 is `group`; the paper has 0.5 and 1. The mean of a group is 0.

    >>> rewards = jnp.array([1.0, 1.0, 1.0, 0.0])  # `group` gives 1/2 and −3/2, √(1 − 3/4) is 1/2
    >>> print(focal(rewards, group_size=4, epsilon=0.0))
    [ 0.25  0.25  0.25 -0.75]
    """
    table = tables.focal(group_size, gamma=gamma, epsilon=epsilon)
    return of_counts(rewards, table, group_size=group_size, right_above=right_above)


def posterior(
    rewards: Array,
    *,
    group_size: int,
    k: int = 16,
    tau: float = 0.01,
    epsilon: float = 1e-4,
    right_above: float = 0.5,
) -> Array:
    """`group` · u(c)/u(1), u(c) the posterior mean of k(1 − p)^(k−1) (BBG, arXiv 2606.15455).

    c of N samples are right, f wrong; p has a uniform prior, so
    u(c) = k Π_{j=1}^{k−1} (f + j)/(N + 1 + j). 0 where u(c) < tau · (N + 1). k may be above
    group_size; k = 1 with tau = 0 is `group`.

    >>> rewards = jnp.array([1.0, 1.0, 1.0, 0.0])  # u(3)/u(1) = (1 + 1)/(3 + 1)
    >>> print(posterior(rewards, group_size=4, k=2, epsilon=0.0))
    [ 0.25  0.25  0.25 -0.75]
    """
    table = tables.posterior(group_size, k=k, tau=tau, epsilon=epsilon)
    return of_counts(rewards, table, group_size=group_size, right_above=right_above)


def flat_half(
    rewards: Array, *, group_size: int, epsilon: float = 1e-4, right_above: float = 0.5
) -> Array:
    """`group` / (2 √(p(1 − p))) where a share p above 1/2 is right (MCPO, arXiv 2604.16972).

    So all prompts of the easy half weigh alike: their right samples' advantages add up to
    √(1 − 1/N) · N/2, as at one half. Its anchor for prompts that are all right is another part.

    >>> rewards = jnp.array([1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0])
    >>> found = flat_half(rewards, group_size=4).reshape(2, 4)
    >>> right = jnp.where(found > 0, found, 0.0).sum(axis=1)
    >>> print([f"{one:.2f}" for one in right.tolist()])  # √(3/4) · 2
    ['1.73', '1.73']
    """
    table = tables.flat_half(group_size, epsilon=epsilon)
    return of_counts(rewards, table, group_size=group_size, right_above=right_above)


def quantile(
    rewards: Array,
    *,
    group_size: int,
    at: float = 0.4,
    epsilon: float = 1e-4,
    right_above: float = 0.5,
) -> Array:
    """(r − quantile of the group) / (std + epsilon) instead of the mean (QAE, arXiv 2509.22611).

    Where c/N <= 1 − at the quantile is 0 and only right samples count, above it is 1 and only
    wrong ones do; `at` is the paper's K. At the tie c/N = 1 − at it is 0, as the paper states the
    rule; its code interpolates between 0 and 1 at one count beside the tie.

    >>> rewards = jnp.array([1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0])  # std is 1/2 in both
    >>> print(quantile(rewards, group_size=4, epsilon=0.0))
    [ 2.  0.  0.  0.  0.  0.  0. -2.]
    """
    table = tables.quantile(group_size, at=at, epsilon=epsilon)
    return of_counts(rewards, table, group_size=group_size, right_above=right_above)
