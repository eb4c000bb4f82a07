"""Noise by row, and the guide that is nothing but noise."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from .._arrays import Array, like
from ..compose import Guide
from ..schedules import Falling, at, falling
from ..terms import Terms
from .bounds import bounded_log, check_bounds


def random(
    mask: Array,
    key: Array | None,
    rows: Array | None = None,
    *,
    epsilon: float | Array = 0.1,
    sigma: float | Array = 0.15,
    q_min: float = 0.6,
    q_max: float = 1.4,
) -> Array:
    """Log of q = 1 + σ n with probability ε at each token, else of 1; n standard normal.

    `mask` and the result [B, T], float32. The noise of a row depends on `key` and its index in
    `rows` [B] alone. Raises ValueError without a key, or unless 0 < q_min <= 1 <= q_max.

    >>> mask, key = jnp.ones((2, 3)), jax.random.key(0)
    >>> whole = random(mask, key, epsilon=1.0)
    >>> second = random(mask[1:], key, jnp.array([1]), epsilon=1.0)
    >>> bool((second[0] == whole[1]).all() and jnp.any(whole != 0))
    True
    """
    key = needed(key, "random")
    drawn = by_row(key, rows, mask.shape, 0, jax.random.uniform)
    noise = row_normals(key, rows, mask.shape)
    q = jnp.where(drawn < like(epsilon, drawn), 1.0 + like(sigma, noise) * noise, 1.0)
    return bounded_log(q, mask, q_min=q_min, q_max=q_max)


def row_normals(
    key: Array,
    rows: Array | None,
    shape: tuple[int, ...],
    dtype: jnp.dtype | type = jnp.float32,
) -> Array:
    """Standard normal noise [B, T] whose row i depends on `key` and `rows[i]` alone.

    A batch that is split, or spread over devices, gets the noise of the whole as long as `rows`
    holds each row's index in the whole. None: 0, 1, ..., B − 1.
    """
    return by_row(key, rows, shape, 1, jax.random.normal, dtype)


def by_row(
    key: Array,
    rows: Array | None,
    shape: tuple[int, ...],
    stream: int,
    draw: Callable[..., Array],
    dtype: jnp.dtype | type = jnp.float32,
) -> Array:
    """Draws [B, T] of a stream of `key`, one key a row; see `row_normals`."""
    batch, length = shape
    rows = jnp.arange(batch, dtype=jnp.int32) if rows is None else rows
    key = jax.random.fold_in(key, stream)
    return jax.vmap(lambda row: draw(jax.random.fold_in(key, row), (length,), dtype))(rows)


def needed(key: Array | None, guide: str) -> Array:
    """The key; raises ValueError where there is none, with the name of the guide."""
    if key is None:
        raise ValueError(f"key is None; the guide {guide} draws noise and needs one")
    return key


def random_guide(
    *,
    epsilon: Falling = (0.1, 0.0),
    sigma: Falling = (0.15, 0.05),
    q_min: float = 0.6,
    q_max: float = 1.4,
    max_steps: int | None = None,
    num_cycles: int = 8,
    decay_rate: float = 0.9,
) -> Guide:
    """Guide q = 1 + σ n with probability ε, else 1; n standard normal.

    See `random`; `terms.rows` seeds each row, None counts from 0. A pair (upper, lower) falls as in
    `token_guide`. Raises ValueError for a probability above 1, and as `random` and
    `schedules.falling`.

    >>> terms, key = Terms(jnp.zeros((1, 40)), jnp.ones((1, 40))), jax.random.key(0)
    >>> log_q = random_guide(epsilon=0.5, sigma=1e6)(terms, step=0, key=key)
    >>> sorted({f"{q:.1f}" for q in jnp.exp(log_q)[0].tolist()})  # So much noise meets the bounds.
    ['0.6', '1.0', '1.4']
    """
    check_bounds(q_min, q_max)
    cycles: dict[str, Any] = {
        "max_steps": max_steps,
        "num_cycles": num_cycles,
        "decay_rate": decay_rate,
    }
    chance, noise = falling(epsilon, "epsilon", **cycles), falling(sigma, "sigma", **cycles)
    highest = epsilon[0] if isinstance(epsilon, tuple) else epsilon
    if isinstance(highest, int | float) and highest > 1:
        raise ValueError(f"epsilon is {epsilon}; a probability is 1 or less")

    def log_q(terms: Terms, *, step: ArrayLike, key: Array | None) -> Array:
        options = {"epsilon": at(chance, step), "sigma": at(noise, step)}
        return random(terms.mask, key, terms.rows, **options, q_min=q_min, q_max=q_max)

    return Guide(log_q, "random", "prefix")
