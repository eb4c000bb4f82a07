"""Leaving away the columns of a rollout that no completion reaches."""

import dataclasses
import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from sage_jax import parallel
from sage_jax.rollout import Rollout


def trim(rollout: Rollout, mesh: Mesh) -> tuple[Rollout, np.ndarray]:
    """The rollout without columns that are empty, and the tokens of each completion, int[B].

    Waits for the rollout: how long completions are decides what is compiled.
    """
    lengths = np.asarray(_counter(mesh)(rollout.mask))
    room = rollout.tokens.shape[1]
    length = bucket(int(lengths.max()), room)
    if length == room:
        return rollout, lengths
    cut = _cutter(parallel.batch_sharding(mesh, len(rollout.prompt_tokens)))
    return cut(rollout, length=length), lengths


def bucket(longest: int, room: int, *, halvings: int = 3) -> int:
    """The columns worth computing on: `room`, halved while the longest row fits.

    Nothing that is masked can move a loss, so only time is saved by leaving the rest away. Every
    other length compiles scoring and update once more, which for billions of weights takes
    minutes, so that there are few.

    >>> bucket(17, 64)
    32
    """
    fitting = (-(-room // 2**times) for times in reversed(range(halvings + 1)))
    return next(length for length in fitting if length >= longest)


@functools.cache
def _counter(mesh: Mesh) -> Callable[[jax.Array], jax.Array]:
    def count(mask: jax.Array) -> jax.Array:
        return mask.astype(jnp.int32).sum(axis=1)

    return jax.jit(count, out_shardings=parallel.replicated(mesh))


@functools.cache
def _cutter(rows: jax.sharding.Sharding) -> Callable[..., Rollout]:
    def cut(rollout: Rollout, *, length: int) -> Rollout:
        kept = {name: getattr(rollout, name)[:, :length] for name in ("tokens", "mask", "logps")}
        return dataclasses.replace(rollout, **kept)

    return jax.jit(cut, static_argnames="length", out_shardings=rows)
