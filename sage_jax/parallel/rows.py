"""Rows of a batch over the mesh: every shard of them as a program of its own."""

from collections.abc import Callable, Container
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, PartitionSpec

from sage_jax.parallel.axes import ROWS, partition


def row_shards(mesh: Mesh) -> int:
    """Number of shards that the rows of a batch are cut into."""
    count = 1
    for axis in ROWS:
        count *= mesh.shape[axis]
    return count


def vocab_shards(mesh: Mesh, vocab_size: int) -> int:
    """Number of shards that a vocabulary is cut into; 1 where it cannot be cut evenly."""
    spec = partition(mesh, ("vocab",), (vocab_size,))
    return mesh.shape[spec[0]] if len(spec) else 1


def splits_evenly(mesh: Mesh, rows: int) -> bool:
    """Whether rows are cut into several shards, all of one size."""
    return row_shards(mesh) > 1 and rows % row_shards(mesh) == 0


def map_rows(
    function: Callable[..., Any], mesh: Mesh, *, whole: Container[int] = ()
) -> Callable[..., Any]:
    """A function of arrays of rows, applied to every shard of rows by itself.

    Shards run independently of each other: a loop in `function` ends when its own rows are done.
    Axes of the mesh that do not split rows stay the compiler's to use. The collectives that it
    then adds may wait for all devices, so that loops must not end at different times: see
    `any_of_shards`.

    Args:
        function: positional trees of arrays, the first axis being rows -> a tree of such arrays.
        mesh: that rows are split over.
        whole: places of arguments that have no rows and go whole to every shard.
    """
    rows, everywhere = PartitionSpec(ROWS), PartitionSpec()
    manual = set(mesh.axis_names) - _automatic(mesh)

    def mapped(*arguments: Any) -> Any:
        specs = tuple(everywhere if place in whole else rows for place in range(len(arguments)))
        return jax.shard_map(
            function, mesh=mesh, in_specs=specs, out_specs=rows, axis_names=manual, check_vma=False
        )(*arguments)

    return mapped


def any_of_shards(flag: jax.Array, *, mesh: Mesh) -> jax.Array:
    """Inside `map_rows`: what keeps a loop going, the flag of this shard or of any of them.

    A collective-permute inside one shard of rows was seen to wait for all devices of the mesh on
    CPU, and nothing promises that it never does elsewhere. Where the compiler may add collectives,
    all shards therefore go on until the last one is done; where it has none to add, each by itself.
    """
    if not _automatic(mesh):
        return flag
    return jax.lax.psum(flag.astype(jnp.int32), ROWS) > 0


def _automatic(mesh: Mesh) -> set[str]:
    """Axes left to the compiler; those of size one need not be, and are simpler without it."""
    return {name for name in mesh.axis_names if name not in ROWS and mesh.shape[name] > 1}
