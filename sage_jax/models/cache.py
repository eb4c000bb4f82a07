"""The keys and values that decoding has already seen."""

from __future__ import annotations

import dataclasses
import functools
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
        keys: [L, B, K, H, S] keys after rotation, K key heads of width H, S slots; or L arrays
            without the first axis, see `unstacked`.
        values: [L, B, K, S, H], or like `keys`.
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
        shape = (config.num_layers, batch, config.num_kv_heads)
        return cls(
            keys=jnp.zeros((*shape, config.head_dim, length), dtype),
            values=jnp.zeros((*shape, length, config.head_dim), dtype),
            valid=jnp.zeros((batch, length), bool),
            index=jnp.zeros((), jnp.int32),
        )

    def repeat(self, group_size: int) -> KVCache:
        """Every row `group_size` times, copies of a row adjacent, rows in their order."""
        return self._map_rows(functools.partial(jnp.repeat, repeats=group_size))

    def take(self, rows: jax.Array) -> KVCache:
        """Some of the rows, in the order of `rows` [R]."""
        return self._map_rows(functools.partial(jnp.take, indices=rows))

    def with_length(self, length: int) -> KVCache:
        """The same with empty slots added up to `length`."""
        extra = length - self.valid.shape[1]

        def longer(store: jax.Array, axis: int) -> jax.Array:
            return jnp.pad(store, [(0, extra if i == axis else 0) for i in range(store.ndim)])

        return dataclasses.replace(
            self,
            keys=jax.tree.map(lambda store: longer(store, store.ndim - 1), self.keys),
            values=jax.tree.map(lambda store: longer(store, store.ndim - 2), self.values),
            valid=longer(self.valid, 1),
        )

    def unstacked(self) -> KVCache:
        """The same as an array a layer, for layers that are not run in a loop."""
        keys, values = (tuple(store) for store in (self.keys, self.values))
        return dataclasses.replace(self, keys=keys, values=values)

    def _map_rows(self, change: Callable[..., jax.Array]) -> KVCache:
        keys, values = jax.tree.map(lambda x: change(x, axis=x.ndim - 4), (self.keys, self.values))
        return dataclasses.replace(self, keys=keys, values=values, valid=change(self.valid, axis=0))
