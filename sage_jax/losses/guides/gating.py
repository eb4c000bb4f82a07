"""The guide `gated`: a weak anchor where the text computes, a full one where it branches."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from .._arrays import Array, as_real, as_valid, count, keep, like, masked_sum
from ..compose import Guide
from ..schedules import Falling, Scheduled, at, falling
from ..terms import Terms, entropy_threshold, require
from .source import Source, read_from

Knob = float | Array


def gate_factor(
    entropies: Array,
    *,
    low: Knob = 0.1,
    high: Knob = 1.0,
    threshold: Knob = 1.2,
    width: Knob = 0.0,
) -> Array:
    """Q itself: `low` where H < threshold and `high` elsewhere, or a smooth step between them.

    With a `width` in nats log q = log low + (log high − log low) · σ((H − threshold) / width). The
    step is taken in log q since q is a factor: a tail of entropies that reaches up to the threshold
    keeps a q near `low`, where a step in q itself would soon be several times `low`.

    `entropies` in nats, of any shape; knobs are positive numbers, or arrays that broadcast with
    them, such as [B, 1] (a `width` of 0 has to be a number). As a factor of kl_coef it acts under
    every estimator; in the anchor (`gated`) under k3 and forward KLs alone, with the same expected
    gradient and the noise (1 − q) ∇log π on top.

    >>> print([f"{q:.1f}" for q in gate_factor(jnp.array([0.8, 1.9])).tolist()])
    ['0.1', '1.0']
    """
    entropies = as_real(entropies)
    low, high, threshold = (like(knob, entropies) for knob in (low, high, threshold))
    if isinstance(width, int | float) and width == 0:
        return jnp.where(entropies < threshold, low, high)
    share = jax.nn.sigmoid((entropies - threshold) / like(width, entropies))
    return jnp.exp(jnp.log(low) + (jnp.log(high) - jnp.log(low)) * share)


def gated(
    entropies: Array,
    mask: Array,
    *,
    low: Knob = 0.1,
    high: Knob = 1.0,
    threshold: Knob = 1.2,
    width: Knob = 0.0,
) -> Array:
    """Log of q = low where H < threshold and high above: the anchor lets go where nothing branches.

    See `gate_factor`. No other bounds hold: `low` and `high` are the range of q. `entropies`, best
    the reference's, in nats, `mask` and the result [B, T].

    >>> log_q = gated(jnp.array([[0.8, 1.9]]), jnp.ones((1, 2)))
    >>> print([f"{q:.1f}" for q in jnp.exp(log_q)[0].tolist()])
    ['0.1', '1.0']
    """
    q = gate_factor(entropies, low=low, high=high, threshold=threshold, width=width)
    return jax.lax.stop_gradient(keep(as_valid(mask), jnp.log(q)))


def held_high(
    entropies: Array,
    above: Array,
    *,
    high: Knob,
    target: Knob,
    gain: Knob = 1.0,
    low: Knob = 0.1,
    q_max: Knob = 4.0,
) -> Array:
    """High · exp(gain · (target − mean entropy over `above`)), clipped to [low, q_max]; a scalar.

    Proportional control without a state: where the policy's entropy at the forks falls short of
    `target` nats, the anchor there grows. With nothing above it is `high`. `entropies` of the whole
    batch and `above`, the tokens that count, [B, T].

    >>> entropies, above = jnp.array([[0.2, 1.0, 2.0]]), jnp.array([[0, 1, 1]])
    >>> print(held_high(entropies, above, high=1.0, target=1.5))
    1.0
    """
    entropies, above = as_real(entropies), as_valid(above)
    number = count(above, entropies.dtype)
    mean = masked_sum(entropies, above) / jnp.maximum(number, 1.0)
    short = jnp.where(number > 0, like(target, mean) - mean, jnp.zeros((), mean.dtype))
    return _raised(short, high=high, gain=gain, low=low, q_max=q_max)


def covered_high(
    pass_rate: Array,
    *,
    high: Knob,
    target: Knob,
    gain: Knob = 1.0,
    low: Knob = 0.1,
    q_max: Knob = 4.0,
) -> Array:
    """High · exp(gain · (target − coverage)), clipped to [low, q_max]; a scalar.

    The coverage is the share of groups with a right answer, the batch's pass@k at the group's size.
    `pass_rate` [B] of the whole batch, the share of each row's group that is right.

    >>> print(covered_high(jnp.array([0.0, 0.0, 0.5, 0.5]), high=1.0, target=0.5))
    1.0
    """
    coverage = jnp.mean(as_real(pass_rate > 0))
    return _raised(like(target, coverage) - coverage, high=high, gain=gain, low=low, q_max=q_max)


def _raised(short: Array, *, high: Knob, gain: Knob, low: Knob, q_max: Knob) -> Array:
    moved = like(high, short) * jnp.exp(like(gain, short) * short)
    return jnp.clip(moved, like(low, short), like(q_max, short))


def gated_guide(
    *,
    low: Scheduled = 0.1,
    high: Scheduled = 1.0,
    threshold: Falling = 1.2,
    width: float = 0.0,
    source: Source = "ref",
    share: float | None = None,
    hold: float | None = None,
    cover: float | None = None,
    gain: float = 1.0,
    q_max: float = 4.0,
    max_steps: int | None = None,
) -> Guide:
    """Guide q = low where H < threshold, high above: the anchor lets go where nothing branches.

    H in nats is `ref_entropies` of the terms, or `entropies` with source "policy", which switches
    itself off where the anchor is weak: once the policy's forks fall below the threshold, q is
    `low` there too. A `width` in nats makes the step smooth, see `gate_factor`. The threshold is a
    number, any schedule, or a pair (upper, lower) that falls once over `max_steps` by a cosine.

    share   of the tokens of the whole batch that are to be above: the threshold is that quantile of
            their entropies, in place of `threshold`; tokens equal to it count as above
    hold    nats of the policy's entropy that the tokens above are to keep: `high` is adapted by
            `held_high` with `gain`, in [low, q_max], from the policy before the update
    cover   share of groups that are to have a right answer: `high` is adapted by `covered_high`

    Not SAGE's own: low 0.1 is outside of its clip [0.6, 1.4], and no clip but [low, high] applies.
    q depends on the prefix alone, so it acts under k3, forward KLs and in the reward; under k2 and
    exact the gate has to be a factor of kl_coef.
    Raises ValueError unless 0 < low <= high, width >= 0, 0 < share < 1, hold > 0, 0 < cover <= 1,
    gain > 0 and q_max >= high, for both hold and cover, and as `schedules.falling`.

    >>> terms = Terms(jnp.zeros((1, 2)), jnp.ones((1, 2)), ref_entropies=jnp.array([[0.8, 1.9]]))
    >>> log_q = gated_guide()(terms, step=0, key=None)
    >>> print([f"{q:.1f}" for q in jnp.exp(log_q)[0].tolist()])
    ['0.1', '1.0']
    """
    name = read_from(source, "entropies")
    _check(low=low, high=high, width=width, share=share, hold=hold, gain=gain)
    _check_adapted(high=high, hold=hold, cover=cover, q_max=q_max)
    cut = falling(threshold, "threshold", max_steps=max_steps, num_cycles=1, decay_rate=1.0)
    of_the_batch = any(one is not None for one in (share, hold, cover))
    adapted = partial(_adapted, hold=hold, cover=cover, gain=gain, q_max=q_max)

    def prepare(terms: Terms, *, step: ArrayLike, key: Array | None) -> Terms:
        """The threshold and the height of the gate, from the whole batch."""
        del key
        entropies = require(terms, name, _LABEL)
        found = like(at(cut, step), as_real(entropies))
        if share is not None:
            found = entropy_threshold(entropies, terms.mask, top_entropy_quantile=share)
        above = terms.valid & (as_real(entropies) >= found)
        top = adapted(terms, above, high=like(at(high, step), found), low=at(low, step))
        rows = (len(terms.mask),)
        return replace(terms, gate_threshold=jnp.full(rows, found), gate_high=jnp.full(rows, top))

    def log_q(terms: Terms, *, step: ArrayLike, key: Array | None) -> Array:
        options: dict[str, Knob] = {"threshold": at(cut, step), "high": at(high, step)}
        if of_the_batch:
            known = (
                terms if terms.gate_threshold is not None else prepare(terms, step=step, key=key)
            )
            options = {
                "threshold": require(known, "gate_threshold", _LABEL)[:, None],
                "high": require(known, "gate_high", _LABEL)[:, None],
            }
        entropies = require(terms, name, _LABEL)
        return gated(entropies, terms.mask, low=at(low, step), width=width, **options)

    needs = _needs(name, share=share, hold=hold, cover=cover)
    return Guide(log_q, "gated", "prefix", needs, prepare if of_the_batch else None)


_LABEL = "the guide gated"


def _adapted(
    terms: Terms,
    above: Array,
    *,
    hold: float | None,
    cover: float | None,
    high: Array,
    **options: Knob,
) -> Array:
    """`high`, or what holding an entropy above the gate, or a coverage, makes of it."""
    if hold is not None:
        entropies = require(terms, "entropies", f"{_LABEL} with hold")
        return held_high(entropies, above, high=high, target=hold, **options)
    if cover is not None:
        rate = require(terms, "pass_rate", f"{_LABEL} with cover")
        return covered_high(rate, high=high, target=cover, **options)
    return high


def _needs(
    name: str, *, share: float | None, hold: float | None, cover: float | None
) -> frozenset[str]:
    found = {name}
    found |= {"entropies"} if hold is not None else set()
    found |= {"pass_rate"} if cover is not None else set()
    # A value of the batch is of the policy before the update, since the update sees it in parts.
    of_the_batch = any(one is not None for one in (share, hold, cover))
    found |= {"old_logps"} if of_the_batch and "entropies" in found else set()
    return frozenset(found)


def _check(
    *,
    low: Scheduled,
    high: Scheduled,
    width: float,
    share: float | None,
    hold: float | None,
    gain: float,
) -> None:
    numbers = [x for x in (low, high) if isinstance(x, int | float)]
    if any(not x > 0 for x in numbers) or (len(numbers) == 2 and numbers[0] > numbers[1]):
        raise ValueError(f"low is {low} and high is {high}; 0 < low <= high must hold")
    if width < 0:
        raise ValueError(f"width is {width}; it must be 0 or more")
    if share is not None and not 0 < share < 1:
        raise ValueError(f"share is {share}; it must be above 0 and below 1")
    for name, value in (("hold", hold), ("gain", gain)):
        if value is not None and not value > 0:
            raise ValueError(f"{name} is {value}; it must be above 0")


def _check_adapted(
    *, high: Scheduled, hold: float | None, cover: float | None, q_max: float
) -> None:
    if cover is not None and not 0 < cover <= 1:
        raise ValueError(f"cover is {cover}; it must be above 0 and at most 1")
    if cover is not None and hold is not None:
        raise ValueError(f"hold is {hold} and cover {cover}; `high` is adapted by one of them")
    adapted = hold is not None or cover is not None
    if isinstance(high, int | float) and adapted and q_max < high:
        raise ValueError(f"q_max is {q_max} and high is {high}; q_max >= high must hold")
