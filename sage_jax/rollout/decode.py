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
    compactions: int = 0,
    cache_doublings: int = 0,
    any_shard: Callable[[jax.Array], jax.Array] = jnp.asarray,
) -> Progress:
    """Apply `advance` until every row is done or the last column is written.

    Rows that have ended cost as much as others while they stay in the batch. So once no more than
    half of them go on, those that do are taken out and decoded by themselves, up to `compactions`
    times; each such loop is compiled for its own number of rows. Attention reads every slot of the
    cache, empty ones too. So the cache begins with slots for T / 2^`cache_doublings` columns and
    doubles them when they are full, which compiles a loop for each length; smaller batches, which
    come late, have room for all columns from their start.

    Args:
        advance: One step.
        cache: What came before the first column, without room for more.
        progress: Of the rows.
        rows: What else belongs to the rows.
        compactions: Times that the batch is halved, while that leaves at least four rows.
        cache_doublings: Times that the cache's room for columns is doubled.
        any_shard: Whether a flag is raised on any shard that must not stop alone.

    Returns:
        The progress of all rows, in their order.
    """
    before, columns = cache.valid.shape[1], progress.tokens.shape[1]
    half = _half(rows, compactions)
    for doublings in reversed(range(cache_doublings + 1)):
        end = -(-columns // 2**doublings)
        cache = cache.with_length(before + end)
        cache, progress = _loop(
            advance, cache, progress, rows, end=end, enough=half, any_shard=any_shard
        )
    return _without_ended(advance, cache, progress, rows, half, compactions - 1, any_shard)


def _half(rows: Rows, compactions: int) -> int:
    """Rows of the next smaller batch, or 0 if there is to be none."""
    count = rows.first.shape[0]
    return -(-count // 2) if compactions and count >= 2 * _FEWEST else 0


def _without_ended(advance, cache, progress, rows, half, compactions, any_shard) -> Progress:
    """Finish the rows that go on, of which there are at most `half`, by themselves."""
    if not half:
        return progress
    # Stable, so that rows stay in their order and neighbours in the cache.
    going = jnp.argsort(progress.done, stable=True)[:half]
    part, own = progress.take(going), jax.tree.map(lambda x: x[going], rows)
    cache, less = cache.take(going), _half(own, compactions)
    end = progress.tokens.shape[1]
    cache, part = _loop(advance, cache, part, own, end=end, enough=less, any_shard=any_shard)
    part = _without_ended(advance, cache, part, own, less, compactions - 1, any_shard)
    return progress.put(going, part)


def _loop(
    advance, cache, progress, rows, *, end: int, enough: int, any_shard
) -> tuple[KVCache, Progress]:
    """Advance up to column `end` while more than `enough` rows go on."""

    def busy(progress: Progress) -> jax.Array:
        going = jnp.sum(~progress.done, dtype=jnp.int32)
        return any_shard((progress.step < end) & (going > enough))

    def body(carry: tuple) -> tuple:
        cache, progress = advance(*carry[:2], rows)
        return cache, progress, busy(progress)

    carry = (cache, progress, busy(progress))
    return lax.while_loop(lambda carry: carry[2], body, carry)[:2]
