"""The decode loop: one column a step, with fewer rows once many have ended."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from sage_jax.models import KVCache
from sage_jax.rollout.progress import Progress

_FEWEST = 4  # Rows below which a smaller batch is no faster.


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Rows:
    """What the rows of a batch keep while they are decoded.

    Attributes:
        keys: [B] PRNG keys.
        first: [B] int32, position of the first token of each completion.
    """

    keys: jax.Array
    first: jax.Array


Advance = Callable[[KVCache, Progress, Rows], tuple[KVCache, Progress]]
"""(cache, progress, rows) -> cache and progress one column further."""


def decode(
    advance: Advance,
    cache: KVCache,
    progress: Progress,
    rows: Rows,
    *,
    halvings: int = 0,
    any_shard: Callable[[jax.Array], jax.Array] = jnp.asarray,
) -> Progress:
    """Apply `advance` until every row is done or the last column is written.

    Rows that have ended cost as much as others while they stay in the batch. So once no more than
    half of them go on, those that do are taken out and decoded by themselves, up to `halvings`
    times; each such loop is compiled for its own number of rows.

    Args:
        advance: One step.
        cache: What came before.
        progress: Of the rows.
        rows: What else belongs to the rows.
        halvings: Times that the batch is halved, while that leaves at least four rows.
        any_shard: Whether a flag is raised on any shard that must not stop alone.

    Returns:
        The progress of all rows, in their order.
    """
    count = rows.first.shape[0]
    half = -(-count // 2) if halvings and count >= 2 * _FEWEST else 0
    cache, progress = _loop(advance, cache, progress, rows, enough=half, any_shard=any_shard)
    if not half:
        return progress
    # Stable, so that rows stay in their order and neighbours in the cache.
    going = jnp.argsort(progress.done, stable=True)[:half]
    part = decode(
        advance, cache.take(going), progress.take(going), jax.tree.map(lambda x: x[going], rows),
        halvings=halvings - 1, any_shard=any_shard,
    )  # fmt: skip
    return progress.put(going, part)


def _loop(advance, cache, progress, rows, *, enough: int, any_shard) -> tuple[KVCache, Progress]:
    """Advance while more than `enough` rows go on."""

    def busy(progress: Progress) -> jax.Array:
        going = jnp.sum(~progress.done, dtype=jnp.int32)
        return any_shard((progress.step < progress.tokens.shape[1]) & (going > enough))

    def body(carry: tuple) -> tuple:
        cache, progress = advance(*carry[:2], rows)
        return cache, progress, busy(progress)

    carry = (cache, progress, busy(progress))
    return lax.while_loop(lambda carry: carry[2], body, carry)[:2]
