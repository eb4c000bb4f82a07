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

    Attributes:
        keys: [L, B, K, H, S] keys after rotation, K key heads of width H, S slots; or L arrays
            without the first axis, see `unstacked`.
        values: [L, B, K, S, H], or like `keys`.
        valid: [B, S] bool, slots that hold a real token (padding and empty slots do not).
        index: int32 scalar, the next slot to be written.
        past: a full cache of B / G rows that were read before slot 0, each by the G rows of a
            group, which are adjacent.
    """

    keys: jax.Array | tuple[jax.Array, ...]
    values: jax.Array | tuple[jax.Array, ...]
    valid: jax.Array
    index: jax.Array
    past: KVCache | None = None

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

    def fork(self, group_size: int) -> KVCache:
        """A cache without slots of its own for `group_size` rows of each row, which share it.

        All slots of this one must have been written.
        """

        def slots(store: jax.Array, axis: int) -> jax.Array:
            none = jax.lax.slice_in_dim(store, 0, 0, axis=axis)
            return jnp.repeat(none, group_size, axis=store.ndim - 4)

        return KVCache(
            keys=jax.tree.map(lambda store: slots(store, store.ndim - 1), self.keys),
            values=jax.tree.map(lambda store: slots(store, store.ndim - 2), self.values),
            valid=jnp.repeat(self.valid[:, :0], group_size, axis=0),
            index=jnp.zeros_like(self.index),
            past=self,
        )

    def take(self, rows: jax.Array) -> KVCache:
        """Some of the rows, in the order of `rows` [R], each with all it has seen to itself."""
        own = self._map_rows(functools.partial(jnp.take, indices=rows))
        if self.past is None:
            return own
        group_size = self.valid.shape[0] // self.past.valid.shape[0]
        return self.past.take(rows // group_size)._then(dataclasses.replace(own, past=None))

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

    def _then(self, later: KVCache) -> KVCache:
        """The slots of this one, which is full, and after them those of another."""

        def join(left: jax.Array, right: jax.Array, axis: int) -> jax.Array:
            return jnp.concatenate([left, right], axis=axis)

        return KVCache(
            keys=jax.tree.map(lambda a, b: join(a, b, a.ndim - 1), self.keys, later.keys),
            values=jax.tree.map(lambda a, b: join(a, b, a.ndim - 2), self.values, later.values),
            valid=join(self.valid, later.valid, 1),
            index=self.valid.shape[1] + later.index,
        )

    def _map_rows(self, change: Callable[..., jax.Array]) -> KVCache:
        keys, values = jax.tree.map(lambda x: change(x, axis=x.ndim - 4), (self.keys, self.values))
        return dataclasses.replace(self, keys=keys, values=values, valid=change(self.valid, axis=0))
