"""Rows of a batch over the mesh: every shard of them as a program of its own."""

from collections.abc import Callable, Container
from typing import Any

import jax
from jax.sharding import Mesh, PartitionSpec

from sage_jax.parallel.axes import ROWS


def row_shards(mesh: Mesh) -> int:
    """Number of shards that the rows of a batch are cut into."""
    count = 1
    for axis in ROWS:
        count *= mesh.shape[axis]
    return count


def splits_evenly(mesh: Mesh, rows: int) -> bool:
    """Whether rows are cut into several shards, all of one size."""
    return row_shards(mesh) > 1 and rows % row_shards(mesh) == 0


def map_rows(
    function: Callable[..., Any], mesh: Mesh, *, whole: Container[int] = ()
) -> Callable[..., Any]:
    """A function of arrays of rows, applied to every shard of rows by itself.

    Shards run independently of each other: a loop in `function` ends when its own rows are done.
    Axes of the mesh that do not split rows stay the compiler's to use.

    Args:
        function: positional trees of arrays, the first axis being rows -> a tree of such arrays.
        mesh: that rows are split over.
        whole: places of arguments that have no rows and go whole to every shard.
    """
    rows, everywhere = PartitionSpec(ROWS), PartitionSpec()
    # Axes of size one need not be left to the compiler, and a mesh without any is simpler for it.
    manual = {name for name in mesh.axis_names if name in ROWS or mesh.shape[name] == 1}

    def mapped(*arguments: Any) -> Any:
        specs = tuple(everywhere if place in whole else rows for place in range(len(arguments)))
        return jax.shard_map(
            function, mesh=mesh, in_specs=specs, out_specs=rows, axis_names=manual, check_vma=False
        )(*arguments)

    return mapped
