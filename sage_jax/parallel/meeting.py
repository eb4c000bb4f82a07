"""Letting the processes of a program meet before there is a hurry."""

import functools
import itertools
import math

import jax
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from sage_jax.parallel.mesh import on_cpu


def connect(mesh: Mesh) -> None:
    """Connect the CPUs of several processes; anywhere else this does nothing.

    Gloo, by which they speak, connects a group of devices when it first has something to say, and
    gives up if one of them comes 30 seconds late (https://github.com/jax-ml/jax/issues/40831).
    Compiling for the first step can take one process so much longer than another. A group is what
    any of the mesh's axes, or of the factors that the compiler splits them into, tells apart.
    """
    if jax.process_count() == 1 or not on_cpu(mesh):
        return
    sizes = [factor for size in mesh.devices.shape for factor in _factors(size)]
    names = [f"factor{index}" for index in range(len(sizes))]
    grid = Mesh(mesh.devices.reshape(sizes), names)
    subsets = [s for n in range(1, len(names) + 1) for s in itertools.combinations(names, n)]

    @jax.jit
    @functools.partial(
        jax.shard_map, mesh=grid, in_specs=PartitionSpec(), out_specs=PartitionSpec()
    )
    def greet(one: jax.Array) -> jax.Array:
        return sum((jax.lax.psum(one, subset) for subset in subsets), one)

    greet(np.float32(1)).block_until_ready()


def _factors(size: int) -> list[int]:
    """The prime factors, in rising order.

    >>> _factors(12)
    [2, 2, 3]
    """
    least = next((n for n in range(2, math.isqrt(size) + 1) if size % n == 0), size)
    return [] if size == 1 else [least, *_factors(size // least)]
