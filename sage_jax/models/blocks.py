"""Cutting the second axis into blocks for a loop, and joining them again."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def cut(x: jax.Array, size: int) -> jax.Array:
    """[B, S, ...] to [ceil(S / size), B, size, ...], padded with zeros; rows stay whole.

    The batch axis is left alone, so that its sharding survives.
    """
    x = jnp.pad(x, [(0, 0), (0, -x.shape[1] % size)] + [(0, 0)] * (x.ndim - 2))
    return jnp.moveaxis(x.reshape(x.shape[0], -1, size, *x.shape[2:]), 1, 0)


def join(blocks: jax.Array, length: int) -> jax.Array:
    """[n, B, size, ...] back to [B, length, ...], the padding dropped."""
    x = jnp.moveaxis(blocks, 0, 1)
    return x.reshape(x.shape[0], -1, *x.shape[3:])[:, :length]
