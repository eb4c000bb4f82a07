"""A slice of devices by name, and the compiler for it where one is at hand."""

import dataclasses
import math
import os
import re
from collections.abc import Sequence
from typing import Any

import jax

from sage_jax.plan.chips import CHIPS, Chip, chip
from sage_jax.plan.errors import PlanError

_FORM = re.compile(r"([a-z]+\d*[a-z]*):(\d+(?:x\d+)*)")
# libtpu looks for its machine when it is loaded, and complains on a machine that is none; and one
# process alone may load it, though compiling takes no chip from another.
_LIBTPU = {
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_ACCELERATOR_TYPE": "v5litepod-4",
    "TPU_WORKER_HOSTNAMES": "localhost",
    "TPU_MIN_LOG_LEVEL": "3",
}


@dataclasses.dataclass(frozen=True)
class Topology:
    """A slice.

    Attributes:
        name: as given, e.g. "v5e:4x4".
        chip: what each device is.
        devices: what to build the mesh of; without a compiler, CPU devices that stand in.
        compiles: whether programs can be compiled for it here.
        reason: why not, for the report.
    """

    name: str
    chip: Chip
    devices: Sequence[Any]
    compiles: bool
    reason: str = ""


def count(name: str) -> int:
    """Devices of a slice as JAX counts them, by its name alone.

    >>> count("v5e:4x4"), count("tpu7x:2x2x1"), count("cpu:8")
    (16, 8, 8)

    Raises:
        PlanError: if the name is not of the form CHIP:GRID.
    """
    found = _FORM.fullmatch(name)
    if not found:
        raise PlanError(
            f"topology {name!r} is not CHIP:GRID, e.g. v5e:4x4, v5p:2x2x4, h100:8 or cpu:8"
        )
    chip(found[1], 1)
    return math.prod(map(int, found[2].split("x"))) * (2 if found[1] == "tpu7x" else 1)


def prepare(name: str) -> None:
    """Set JAX up for planning; call before anything else of JAX.

    A plan holds no accelerator: it runs on as many CPU devices as the slice has, which stand in
    for the slice where its compiler is not at hand. Slices of GPUs use the GPUs that are there.
    JAX's cache on disk is left out: it cannot read back a program for chips that are not there.
    """
    devices = count(name)
    if chip(name.split(":")[0], devices).compiler != "cuda":
        jax.config.update("jax_platforms", "cpu")
        jax.config.update("jax_enable_compilation_cache", False)
    jax.config.update("jax_num_cpu_devices", devices)


def open_topology(name: str) -> Topology:
    """The slice of that name.

    Raises:
        PlanError: if there is no such slice, or too few CPU devices stand in for it.
    """
    devices = count(name)
    kind = chip(name.split(":")[0], devices)
    match kind.compiler:
        case "tpu":
            return _tpu(name, kind, devices)
        case "cuda":
            return _gpu(name, kind, devices)
        case _:
            return Topology(name, kind, _cpus(name, devices), True)


def roomy(devices: int) -> Topology | None:
    """A slice of as many devices of the TPU with most memory, for what fits nowhere else."""
    for name in ("v5p", "tpu7x"):
        for grid in _grids(devices if name == "v5p" else devices // 2):
            try:
                topology = open_topology(f"{name}:{grid}")
            except PlanError:
                continue
            if topology.compiles and len(topology.devices) == devices:
                return topology
    return None


def _grids(chips: int) -> list[str]:
    """Ways to write a number as a x b x c with a and b even, the most cubic first."""
    found = [
        (a, b, chips // (a * b))
        for a in range(2, chips + 1, 2)
        for b in range(a, chips + 1, 2)
        if chips % (a * b) == 0
    ]
    return ["x".join(map(str, grid)) for grid in sorted(found, key=sum)]


def _tpu(name: str, kind: Chip, devices: int) -> Topology:
    for variable, value in _LIBTPU.items():
        os.environ.setdefault(variable, value)
    try:
        import libtpu  # noqa: F401 # pyright: ignore[reportMissingImports]
    except ImportError:
        reason = "libtpu is not installed (pip install 'sage-jax[tpu]')"
        return Topology(name, kind, _cpus(name, devices), False, reason)
    from jax.experimental import topologies

    options: dict[str, Any] = dict(kind.options)
    if devices == 1:  # A notebook's chip, where libtpu would take a host to have four.
        options["chips_per_host_bounds"] = (1, 1, 1)
    try:
        description = topologies.get_topology_desc(platform="tpu", topology_name=name, **options)
    except Exception as error:  # JaxRuntimeError, NotImplementedError: the compiler says no.
        line = str(error).strip().splitlines()[0]
        raise PlanError(f"topology {name!r}: {line.removeprefix('INVALID_ARGUMENT: ')}") from None
    return Topology(name, kind, description.devices, True)


def _gpu(name: str, kind: Chip, devices: int) -> Topology:
    if jax.default_backend() == "gpu":
        there = [d for d in jax.devices() if kind.name.upper() in d.device_kind.upper()]
        if len(there) >= devices:
            return Topology(name, kind, there[:devices], True)
    reason = f"there are not {devices} of {kind.name.upper()} here to compile for"
    return Topology(name, kind, _cpus(name, devices), False, reason)


def _cpus(name: str, devices: int) -> Sequence[Any]:
    there = jax.devices("cpu")
    if len(there) < devices:
        raise PlanError(
            f"topology {name!r}: JAX was started with {len(there)} CPU devices, {devices} are "
            f"needed; set XLA_FLAGS=--xla_force_host_platform_device_count={devices}"
        )
    return there[:devices]


def names() -> str:
    """Chips that a topology may name."""
    return ", ".join([*CHIPS, "cpu"])
