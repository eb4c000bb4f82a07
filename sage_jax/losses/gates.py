"""Gates: factors of the KL coefficient by prompt, by row and by token, plain functions of arrays.

Each gives a factor [B, T], or [B, 1] of a row, and asks for its arrays by the names of its
parameters; `anchors.gate` multiplies a divergence by any number of them, whatever its estimator and
guide. What says how a row came out (`right`, `pass_rate`, ...) is [B, 1], see `outcome`. Every
public function here is one that a config may name.
"""

import jax.numpy as jnp

from ._arrays import Array, as_real
from .choices import chosen_by, least_likely
from .guides import gate_factor


def base_pass_rate(
    base_pass_rate: Array, *, at_least: float = 0.0, at_most: float = 1.0, outside: float = 0.0
) -> Array:
    """1 on prompts that the base model solves at a rate in [at_least, at_most], else `outside`.

    `at_most` 0 anchors what the base never solves (PBA, arXiv 2607.20543), `at_least` 1 what it
    always solves (DPH-RL, arXiv 2509.07430). [B, 1] -> [B, 1].
    Raises ValueError for bounds outside [0, 1] or the wrong way round, or a negative factor.

    >>> print(base_pass_rate(jnp.array([[0.0], [0.5]]), at_most=0.0)[:, 0])
    [1. 0.]
    """
    return _within(base_pass_rate, at_least, at_most, outside)


def pass_rate(
    pass_rate: Array, *, at_least: float = 0.0, at_most: float = 1.0, outside: float = 0.0
) -> Array:
    """1 where a share in [at_least, at_most] of the group is right, else `outside`; [B, 1].

    `at_least` 1 holds what is mastered alone (MCPO, arXiv 2604.16972, which anchors there to π_old
    and not to π_ref). Raises ValueError as `base_pass_rate`.

    >>> print(pass_rate(jnp.array([[0.75], [1.0]]), at_least=1.0, outside=0.2)[:, 0])
    [0.2 1. ]
    """
    return _within(pass_rate, at_least, at_most, outside)


def ramp(pass_rate: Array, *, at_zero: float, at_one: float) -> Array:
    """at_zero + (at_one − at_zero) · p with p the share of the group that is right; [B, 1].

    Raises ValueError for a negative factor.

    >>> print(ramp(jnp.array([[0.25]]), at_zero=0.0, at_one=2.0))
    [[0.5]]
    """
    _factor("at_zero", at_zero)
    _factor("at_one", at_one)
    return at_zero + (at_one - at_zero) * as_real(pass_rate)


def unequal(reward_range: Array, *, equal: float = 0.0) -> Array:
    """1 where rewards of the group differ, `equal` where they are all alike; [B, 1].

    In groups of equal rewards no advantage answers the KL, so that it alone moves the policy
    (arXiv 2610.12161, fault 3). Raises ValueError for a negative factor.

    >>> print(unequal(jnp.array([[1.0], [0.0]]), equal=0.5)[:, 0])
    [1.  0.5]
    """
    return jnp.where(reward_range > 0, 1.0, _factor("equal", equal))


def hinge(logps: Array, anchor_logps: Array, *, distance: float = 0.01) -> Array:
    """0 where |log π − log anchor| <= distance, else 1: a small change is free; [B, T].

    With k3 the gradient is that of k3 less its value at the nearer edge. MCPO (arXiv 2604.16972)
    has such a hinge, to π_old and, as others quote it, with the other sign in the exponent: alike
    to first order. Raises ValueError for a negative distance.

    >>> print(hinge(jnp.full((1, 2), -1.0), jnp.array([[-1.005, -1.5]])))
    [[0. 1.]]
    """
    if not distance >= 0:
        raise ValueError(f"distance is {distance}; it must be 0 or more")
    return as_real(jnp.abs(logps - anchor_logps) > distance)


def hinge_equal(
    logps: Array, anchor_logps: Array, reward_range: Array, *, distance: float = 0.01
) -> Array:
    """`hinge` in groups whose rewards are all alike, 1 where they differ; [B, T].

    Between `unequal`, which lets go of groups of equal rewards altogether, and `hinge`, which lets
    small changes go everywhere. `reward_range` is [B, 1]. Ours, of these two. Raises ValueError for
    a negative distance.

    >>> logps, anchor_logps = jnp.full((2, 2), -1.0), jnp.array([[-1.005, -1.5]] * 2)
    >>> print(hinge_equal(logps, anchor_logps, jnp.array([[1.0], [0.0]])))
    [[1. 1.]
     [0. 1.]]
    """
    return jnp.where(reward_range > 0, 1.0, hinge(logps, anchor_logps, distance=distance))


def unclipped(
    ratios: Array, advantages: Array, *, eps_low: float = 0.2, eps_high: float = 0.2
) -> Array:
    """0 where the clip holds the policy gradient back, else 1; [B, T].

    There the KL would move the policy alone (arXiv 2610.12161, fault 1). Give the surrogate's own
    ranges. Raises ValueError for a negative range.

    >>> print(unclipped(jnp.array([[1.5, 1.0]]), jnp.ones((1, 1))))
    [[0. 1.]]
    """
    for name, value in {"eps_low": eps_low, "eps_high": eps_high}.items():
        if not value >= 0:
            raise ValueError(f"{name} is {value}; it must be 0 or more")
    low = (ratios < 1.0 - eps_low) & (advantages < 0)
    high = (ratios > 1.0 + eps_high) & (advantages > 0)
    return as_real(~(low | high))


def wrong(right: Array, *, otherwise: float = 0.0) -> Array:
    """1 on rows whose answer is wrong, else `otherwise`; [B, 1].

    Raises ValueError for a negative factor.

    >>> print(wrong(jnp.array([[1.0], [0.0]]), otherwise=0.3)[:, 0])
    [0.3 1. ]
    """
    return jnp.where(right > 0, _factor("otherwise", otherwise), 1.0)


@chosen_by(least_likely)
def unlikely(
    advantages: Array,
    old_logps: Array,
    mask: Array,
    chosen: Array | None = None,
    *,
    share: float = 0.01,
    only_wrong: bool = True,
    elsewhere: float = 0.0,
) -> Array:
    """1 at the least likely tokens of the batch whose advantage is negative, else `elsewhere`.

    They are the `share` of valid tokens with the least log π of the policy that sampled, once
    before updates; with `only_wrong` false all of them, whatever their advantage. [B, T].
    The place of Lp-Reg (arXiv 2510.03222), which there has a KL from a proxy of the policy itself.
    Raises ValueError for a negative factor, and as `choices.least_likely`.

    >>> advantages, sampled = jnp.array([[-1.0], [1.0]]), jnp.array([[-1.0, -9.0], [-8.0, -2.0]])
    >>> print(unlikely(advantages, sampled, jnp.ones((2, 2)), share=0.5))
    [[0. 1.]
     [0. 0.]]
    """
    if chosen is None:
        chosen = least_likely(old_logps, mask, share=share)
    held = chosen & (advantages < 0) if only_wrong else chosen
    return jnp.where(held, 1.0, _factor("elsewhere", elsewhere))


def opening(mask: Array, *, length: int = 8, first: float = 1.0, later: float = 0.0) -> Array:
    """From `first` at the first token straight to `later` after `length` tokens; [B, T].

    g_t = first + (later − first) · min(t / length, 1), t from 0. What narrows a policy begins at
    the first tokens (arXiv 2608.29188). Raises ValueError for a length below 1, a negative factor.

    >>> print(opening(jnp.ones((1, 4)), length=2))
    [[1.  0.5 0.  0. ]]
    """
    if length < 1:
        raise ValueError(f"length is {length}; it must be 1 or more")
    places = jnp.broadcast_to(jnp.arange(mask.shape[1], dtype=jnp.float32), mask.shape)
    away = _factor("later", later) - _factor("first", first)
    return first + away * jnp.minimum(places / length, 1.0)


def entropy(
    ref_entropies: Array,
    *,
    low: float = 0.1,
    high: float = 1.0,
    threshold: float = 1.2,
    width: float = 0.0,
) -> Array:
    """`low` where the reference's entropy is below `threshold` nats, `high` elsewhere; [B, T].

    The guide `gated` as a factor of the coefficient: under k3 the same expected gradient without
    the noise (1 − q) ∇log π, and under reverse KLs, where a q of the prefix drops out of the
    anchor, it still acts. With a `width` the step is smooth, see `guides.gate_factor`.
    Raises ValueError unless 0 < low <= high and width >= 0.

    >>> print(entropy(jnp.array([[0.8, 1.9]])))
    [[0.1 1. ]]
    """
    if not 0 < low <= high:
        raise ValueError(f"low is {low} and high is {high}; 0 < low <= high must hold")
    if not width >= 0:
        raise ValueError(f"width is {width}; it must be 0 or more")
    return gate_factor(ref_entropies, low=low, high=high, threshold=threshold, width=width)


def _within(rates: Array, at_least: float, at_most: float, outside: float) -> Array:
    if not 0 <= at_least <= at_most <= 1:
        raise ValueError(
            f"at_least is {at_least} and at_most {at_most}; they must be rates, the lower one first"
        )
    inside = (rates >= at_least) & (rates <= at_most)
    return jnp.where(inside, 1.0, _factor("outside", outside))


def _factor(name: str, value: float) -> float:
    if not value >= 0:
        raise ValueError(f"{name} is {value}; it must be 0 or more")
    return value
