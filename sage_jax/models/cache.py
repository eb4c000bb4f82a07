"""The keys and values that decoding has already seen."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from sage_jax.models.config import ModelConfig


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class KVCache:
    """Rotated keys and values of all layers, filled from slot 0 on, all rows alike.

    Args:
        keys: [L, B, S, K, H] keys after rotation, K key heads of width H, S slots.
        values: [L, B, S, K, H] values.
        valid: [B, S] bool, slots that hold a real token (padding and empty slots do not).
        index: int32 scalar, the next slot to be written.
    """

    keys: jax.Array
    values: jax.Array
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
        shape = (config.num_layers, batch, length, config.num_kv_heads, config.head_dim)
        return cls(
            keys=jnp.zeros(shape, dtype),
            values=jnp.zeros(shape, dtype),
            valid=jnp.zeros((batch, length), bool),
            index=jnp.zeros((), jnp.int32),
        )

    def repeat(self, group_size: int) -> KVCache:
        """Every row `group_size` times, copies of a row adjacent, rows in their order."""
        return KVCache(
            keys=jnp.repeat(self.keys, group_size, axis=1),
            values=jnp.repeat(self.values, group_size, axis=1),
            valid=jnp.repeat(self.valid, group_size, axis=0),
            index=self.index,
        )
