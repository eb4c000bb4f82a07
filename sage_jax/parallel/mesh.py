"""Arranging devices as (data, fsdp, tensor)."""

import math
from collections.abc import Sequence
from typing import Any

import jax
from jax.sharding import AxisType, Mesh

AXES = ("data", "fsdp", "tensor")


class MeshError(ValueError):
    """A mesh that the devices at hand cannot form."""


def make_mesh(
    *, data: int = -1, fsdp: int = 1, tensor: int = 1, devices: Sequence[Any] | None = None
) -> Mesh:
    """Arrange the devices in a grid of data x fsdp x tensor; one axis may be -1, all that is left.

    A grid of fewer devices than there are takes the first ones, in a program of one process.

    Args:
        data: replicas, each with its own rows.
        fsdp: shards of the weights, gathered layer by layer; rows are split over them too.
        tensor: shards of each matrix product.
        devices: default all of `jax.devices()`.

    Raises:
        MeshError: if there are not that many devices, or processes would be left out.
    """
    devices = list(jax.devices() if devices is None else devices)
    sizes = _fill([data, fsdp, tensor], len(devices))
    count = math.prod(sizes)
    if count < len(devices) and jax.process_count() == 1:
        devices = devices[:count]
    if count != len(devices):
        asked = ", ".join(f"{name} {size}" for name, size in zip(AXES, sizes, strict=True))
        raise MeshError(
            f"mesh: {asked} needs {count} devices, but there are {len(devices)} "
            f"({devices[0].platform}); one axis may be -1, all that is left"
        )
    return jax.make_mesh(tuple(sizes), AXES, (AxisType.Auto,) * 3, devices=devices)


def _fill(sizes: list[int], count: int) -> list[int]:
    rest = math.prod(size for size in sizes if size != -1)
    if -1 in sizes and count % rest:
        raise MeshError(
            f"mesh: {count} devices cannot be shared out evenly over axes that take {rest} of them"
        )
    return [max(count // rest, 1) if size == -1 else size for size in sizes]
