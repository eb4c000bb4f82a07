"""The mesh, the one table from logical axes to mesh axes, and the processes that share it."""

from sage_jax.parallel.axes import Layout, batch_sharding, replicated, shardings
from sage_jax.parallel.heads import MapHeads
from sage_jax.parallel.hosts import HostsError
from sage_jax.parallel.meeting import connect
from sage_jax.parallel.mesh import MeshError, choose_sizes, make_mesh, on_cpu
from sage_jax.parallel.placing import fetch, local_rows, shard
from sage_jax.parallel.rows import (
    any_of_shards,
    map_rows,
    row_shards,
    splits_evenly,
    vocab_shards,
)

__all__ = [
    "HostsError",
    "Layout",
    "MapHeads",
    "MeshError",
    "any_of_shards",
    "batch_sharding",
    "choose_sizes",
    "connect",
    "fetch",
    "local_rows",
    "make_mesh",
    "map_rows",
    "on_cpu",
    "replicated",
    "row_shards",
    "shard",
    "shardings",
    "splits_evenly",
    "vocab_shards",
]
