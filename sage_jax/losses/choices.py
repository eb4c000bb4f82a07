"""Tokens chosen out of a whole batch, by a covariance or by how unlikely they were.

A choice is a function of arrays by the names of its parameters, which gives booleans [B, T];
`chosen_by` has it made before a batch is split. A step of policy gradient lowers the entropy by the
covariance of log-probabilities and advantages, and a few tokens hold most of it (arXiv 2505.22617).
"""

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from ._arrays import Array, as_real, as_valid, count, keep, masked_sum
from .compose import TermTransform
from .guides import row_normals
from .terms import Terms, check, clean

F = TypeVar("F", bound=Callable[..., Any])
# The random guide draws from the same key.
_STREAM = 7


def chosen_by(choose: Callable[..., Array]) -> Callable[[F], F]:
    """Decorator: a surrogate or gate that asks for `chosen` [B, T], tokens of the whole batch.

    `choose` gives these booleans of the arrays that it asks for by name, and of its keyword-only
    options that the function has too. It is called before a batch is split, so that parts have
    the choice of the whole, and sees the policy that sampled: `old_logps` and not `logps`.
    """

    def declare(function: F) -> F:
        vars(function)["chosen_by"] = choose
        return function

    return declare


def made(
    function: Callable[..., Any], options: Mapping[str, Any], given: Callable[..., dict[str, Any]]
) -> TermTransform | None:
    """What fills in `terms.chosen` for a function that declares it by `chosen_by`, else None.

    `given(choose, terms, step=, key=)` are the arrays that a choice asks for, by name.
    """
    inner = function.func if isinstance(function, functools.partial) else function
    choose = getattr(inner, "chosen_by", None)
    if choose is None:
        return None
    parameters = inspect.signature(function).parameters
    known = {name: one.default for name, one in parameters.items()} | dict(options)
    takes = inspect.signature(choose).parameters.values()
    own = [one.name for one in takes if one.kind is one.KEYWORD_ONLY and one.name in known]

    def fill(terms: Terms, *, step: ArrayLike, key: Array | None) -> Terms:
        check(terms)
        terms_before = clean(jax.lax.stop_gradient(terms))
        arrays = given(choose, terms_before, step=step, key=key)
        return replace(terms, chosen=choose(**arrays, **{name: known[name] for name in own}))

    return TermTransform(fill)


def covariances(old_logps: Array, advantages: Array, mask: Array) -> Array:
    """(log π − its mean) · (A − its mean) of every token, means over the batch's valid tokens.

    `old_logps`, `mask` and the result [B, T], `advantages` [B, 1] or [B, T].

    >>> print(covariances(jnp.array([[-1.0, -3.0]]), jnp.array([[2.0, 0.0]]), jnp.ones((1, 2))))
    [[1. 1.]]
    """
    valid, logps = as_valid(mask), as_real(old_logps)
    given = jnp.broadcast_to(as_real(advantages), logps.shape).astype(logps.dtype)
    tokens = jnp.maximum(count(valid, logps.dtype), 1.0)
    away = [keep(valid, x - masked_sum(x, valid) / tokens) for x in (logps, given)]
    return away[0] * away[1]


def largest_covariance(old_logps: Array, advantages: Array, mask: Array, *, share: float) -> Array:
    """The share of valid tokens with the largest covariance, rounded and at least one.

    Of equal ones the first are taken. Raises ValueError for a share outside (0, 1].

    >>> old_logps, advantages = jnp.array([[-1.0, -3.0, -0.5]]), jnp.array([[2.0, 0.0, 1.0]])
    >>> print(largest_covariance(old_logps, advantages, jnp.ones((1, 3)), share=0.4))
    [[False  True False]]
    """
    valid = as_valid(mask)
    found = covariances(old_logps, advantages, mask)
    return _largest(found, valid, _number(valid, share))


def within_covariance(
    old_logps: Array,
    advantages: Array,
    mask: Array,
    key: Array | None,
    rows: Array | None = None,
    *,
    share: float,
    low: float,
    high: float,
) -> Array:
    """A random choice among the valid tokens whose covariance lies in (low, high).

    As many as `share` of all valid tokens are, rounded and at least one, or all there are. The
    draw of a row depends on `key` and its index in `rows` [B] alone. Raises ValueError without a
    key, for a share outside (0, 1], or unless low < high.

    >>> old_logps, advantages = jnp.array([[-1.0, -3.0, -2.0]]), jnp.array([[2.0, 0.0, 1.0]])
    >>> mask, key = jnp.ones((1, 3)), jax.random.key(0)
    >>> options = {"share": 0.5, "low": 0.5, "high": 5.0}
    >>> print(within_covariance(old_logps, advantages, mask, key, **options))  # Of 1, 1 and 0.
    [[ True  True False]]
    """
    if not low < high:
        raise ValueError(f"low is {low} and high is {high}; low < high must hold")
    valid = as_valid(mask)
    number = _number(valid, share)
    if key is None:
        raise ValueError("key is None; a random choice of tokens needs one")
    found = covariances(old_logps, advantages, mask)
    draws = row_normals(jax.random.fold_in(key, _STREAM), rows, valid.shape)
    return _largest(draws, valid & (found > low) & (found < high), number)


def least_likely(old_logps: Array, mask: Array, *, share: float) -> Array:
    """The share of valid tokens with the least log π, rounded and at least one; [B, T].

    Of equal ones the first are taken. Raises ValueError for a share outside (0, 1].

    >>> old_logps = jnp.array([[-1.0, -9.0, -5.0]])
    >>> print(least_likely(old_logps, jnp.array([[1, 0, 1]]), share=0.5))
    [[False False  True]]
    """
    valid = as_valid(mask)
    return _largest(-as_real(old_logps), valid, _number(valid, share))


def _number(valid: Array, share: float) -> Array:
    if not 0 < share <= 1:
        raise ValueError(f"share is {share}; it must be in (0, 1]")
    return jnp.maximum(jnp.round(share * count(valid, jnp.dtype(jnp.float32))), 1.0)


def _largest(scores: Array, eligible: Array, number: Array) -> Array:
    """Which eligible entries have one of the `number` largest scores, the earlier of equal ones."""
    flat = jnp.where(eligible, -scores, jnp.inf).reshape(-1)
    places = jnp.argsort(jnp.argsort(flat)).reshape(scores.shape)
    return eligible & (places < number.astype(places.dtype))
