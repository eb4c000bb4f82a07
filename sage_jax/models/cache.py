"""The keys and values that decoding has already seen."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from sage_jax.models.config import ModelConfig


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class KVCache:
    """Rotated keys and values of all layers, filled from slot 0 on, all rows alike.

    Args:
        keys: [L, B, K, S, H] keys after rotation, K key heads of width H, S slots; or L arrays
            without the first axis, see `unstacked`.
        values: like `keys`.
        valid: [B, S] bool, slots that hold a real token (padding and empty slots do not).
        index: int32 scalar, the next slot to be written.
    """

    keys: jax.Array | tuple[jax.Array, ...]
    values: jax.Array | tuple[jax.Array, ...]
    valid: jax.Array
    index: jax.Array

    @classmethod
    def empty(cls, config: ModelConfig, batch: int, length: int, dtype: DTypeLike) -> KVCache:
        """A cache of `length` empty slots for `batch` rows.

        Raises:
            ValueError: `batch` or `length` is less than 1.
        """
        if batch < 1 or length < 1:
            raise ValueError(f"batch ({batch}) and length ({length}) must be at least 1")
        shape = (config.num_layers, batch, config.num_kv_heads, length, config.head_dim)
        return cls(
            keys=jnp.zeros(shape, dtype),
            values=jnp.zeros(shape, dtype),
            valid=jnp.zeros((batch, length), bool),
            index=jnp.zeros((), jnp.int32),
        )

    def repeat(self, group_size: int) -> KVCache:
        """Every row `group_size` times, copies of a row adjacent, rows in their order."""
        return self._map(
            lambda store: jnp.repeat(store, group_size, axis=-4),
            jnp.repeat(self.valid, group_size, axis=0),
        )

    def take(self, rows: jax.Array) -> KVCache:
        """Some of the rows, in the order of `rows` [R]."""
        return self._map(lambda store: jnp.take(store, rows, axis=-4), self.valid[rows])

    def with_length(self, length: int) -> KVCache:
        """The same with empty slots added up to `length`."""
        extra = length - self.valid.shape[1]
        slots = ((0, 0), (0, 0), (0, extra), (0, 0))
        return self._map(
            lambda store: jnp.pad(store, ((0, 0),) * (store.ndim - 4) + slots),
            jnp.pad(self.valid, ((0, 0), (0, extra))),
        )

    def unstacked(self) -> KVCache:
        """The same as an array a layer, for layers that are not run in a loop."""
        keys, values = (tuple(store) for store in (self.keys, self.values))
        return dataclasses.replace(self, keys=keys, values=values)

    def _map(self, change: Callable[[jax.Array], jax.Array], valid: jax.Array) -> KVCache:
        keys, values = jax.tree.map(change, (self.keys, self.values))
        return KVCache(keys=keys, values=values, valid=valid, index=self.index)
