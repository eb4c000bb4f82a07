"""Host arrays onto the mesh and back, when no process sees all of it."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Sharding


def shard(tree: Any, sharding: Any) -> Any:
    """Host arrays that every process holds alike, laid over the mesh.

    Args:
        tree: arrays, on the host or on one device.
        sharding: one for all, or a tree of them.
    """
    if isinstance(sharding, Sharding):
        return jax.tree.map(lambda x: _shard(x, sharding), tree)
    return jax.tree.map(_shard, tree, sharding)


def _shard(array: Any, sharding: Sharding) -> jax.Array:
    if sharding.is_fully_addressable:
        return jax.device_put(array, sharding)
    if jnp.issubdtype(array.dtype, jax.dtypes.prng_key):
        data = _shard(jax.random.key_data(array), sharding)
        return jax.random.wrap_key_data(data, impl=jax.random.key_impl(array))
    host = np.asarray(array)
    return jax.make_array_from_callback(host.shape, sharding, lambda index: host[index])


def fetch(tree: Any) -> Any:
    """Arrays of the mesh, whole on the host of every process. A collective."""
    if jax.process_count() == 1:
        return jax.tree.map(np.asarray, tree)
    return jax.tree.map(lambda x: multihost_utils.process_allgather(x, tiled=True), tree)


def local_rows(array: jax.Array) -> tuple[np.ndarray, np.ndarray]:
    """The rows of an array that this process answers for, and their numbers.

    Every row is answered for by one process, also where several hold a copy.

    Args:
        array: [B, ...], split along its first axis only.

    Returns:
        (rows int64[b] ascending, values [b, ...]).
    """
    parts = {}
    for shard in array.addressable_shards:
        if shard.replica_id == 0:
            first = shard.index[0].start or 0
            parts[first] = np.asarray(shard.data)
    if not parts:
        return np.zeros(0, np.int64), np.zeros((0, *array.shape[1:]), array.dtype)
    rows = [first + np.arange(len(parts[first])) for first in sorted(parts)]
    return np.concatenate(rows), np.concatenate([parts[first] for first in sorted(parts)])
