"""Arranging devices as (data, fsdp, tensor)."""

import math
from collections.abc import Sequence
from typing import Any

import jax
from jax.sharding import AxisType, Mesh

from sage_jax.telling import UserError

AXES = ("data", "fsdp", "tensor")


class MeshError(UserError, ValueError):
    """A mesh that the devices at hand cannot form."""


def on_cpu(mesh: Mesh) -> bool:
    """Whether the devices are CPUs, whose caches and cheap memory ask for other programs."""
    return mesh.devices.flat[0].platform == "cpu"


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


# Shares of a device's memory: the rest is for cache, activations and gathered weights.
_DECODING, _STATE = 1 / 3, 1 / 2


def choose_sizes(
    devices: int,
    *,
    rows: int,
    kv_heads: int,
    weight_bytes: float,
    state_bytes: float,
    memory: float | None,
) -> tuple[dict[str, int], str]:
    """A shape of the mesh that fits, with as little splitting as will do, and the reason for it.

    `tensor` is the smallest divisor of the key heads for which the whole weights take a third of a
    device while decoding; `fsdp` the smallest for which all that training keeps takes a half;
    `data` is what is left. Rows must come out even, so that some devices may stay idle.

    Args:
        devices: at hand.
        rows: what data x fsdp must divide.
        kv_heads: what tensor must divide.
        weight_bytes: of the whole weights as they decode.
        state_bytes: of weights, moments and reference as they are kept.
        memory: bytes of one device; None where it is not known, and nothing is split for it.

    >>> choose_sizes(16, rows=64, kv_heads=4, weight_bytes=15.2e9, state_bytes=91e9, memory=16e9)[0]
    {'data': 1, 'fsdp': 4, 'tensor': 4}
    """
    heads = [n for n in _divisors(devices) if kv_heads % n == 0]
    room = memory if memory is not None else math.inf
    tensor = next((n for n in heads if weight_bytes / n <= room * _DECODING), heads[-1])
    split = math.gcd(devices // tensor, rows)
    enough = (n for n in _divisors(split) if state_bytes / (n * tensor) <= room * _STATE)
    fsdp = next(enough, split)
    sizes = {"data": split // fsdp, "fsdp": fsdp, "tensor": tensor}
    shape = ", ".join(f"{axis} {size}" for axis, size in sizes.items())
    size = "unknown" if memory is None else f"{memory / 1e9:.1f} GB"
    return sizes, (
        f"mesh: {shape} for {devices} devices, memory {size}; {weight_bytes / 1e9:.2f} GB of "
        f"weights to decode with, {state_bytes / 1e9:.2f} GB to train with, rows in multiples of "
        f"{rows}"
    )


def _divisors(count: int) -> list[int]:
    return [n for n in range(1, count + 1) if count % n == 0]
