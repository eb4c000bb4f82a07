"""What one device can hold and do, from public sources."""

import dataclasses
import os

from sage_jax.plan.errors import PlanError

_DOCS = "https://docs.cloud.google.com/tpu/docs/"
_GPUS = "https://www.nvidia.com/en-us/data-center/"
GIB = 2**30


@dataclasses.dataclass(frozen=True)
class Chip:
    """One device as JAX counts them: a TPU chip (half of one on TPU7x), a GPU, a CPU device.

    Attributes:
        name: as topologies name it.
        memory: bytes that a program may use. Of TPUs it is the limit that libtpu's compiler states
            when a program is too large, a little less than the data sheet.
        flops: peak bfloat16 operations per second; 0 is unknown.
        memory_rate: peak bytes per second between memory and compute; 0 is unknown.
        link_rate: peak bytes per second that it sends to its neighbours over all links, one way;
            0 is unknown.
        source: where the figures come from.
        compiler: platform whose compiler makes its programs.
        options: of `jax.experimental.topologies.get_topology_desc`.
    """

    name: str
    memory: int
    flops: float
    memory_rate: float
    link_rate: float
    source: str
    compiler: str = "tpu"
    options: tuple[tuple[str, str], ...] = ()


def _tpu(
    name: str, gib: float, tera: float, giga: float, link: float, page: str, **options
) -> Chip:
    return Chip(
        name,
        int(gib * GIB),
        tera * 1e12,
        giga * 1e9,
        link * 1e9,
        _DOCS + page,
        options=tuple(options.items()),
    )


def _gpu(name: str, giga_memory: float, tera: float, giga: float, link: float, page: str) -> Chip:
    return Chip(
        name, int(giga_memory * 1e9), tera * 1e12, giga * 1e9, link * 1e9, _GPUS + page, "cuda"
    )


# Data sheets give the bandwidth between chips as the sum of both directions; half of it is sent.
# TPU7x appears as two devices a chip, each with half of everything (v4 and v5p as one).
CHIPS = {
    chip.name: chip
    for chip in (
        _tpu("v4", 30.75, 275, 1200, 300, "v4", chip_config_name="megacore"),
        _tpu("v5e", 15.75, 197, 819, 200, "v5e"),
        _tpu("v5p", 95.74, 459, 2765, 600, "v5p"),
        _tpu("v6e", 31.25, 918, 1640, 400, "v6e"),
        _tpu("tpu7x", 94.75, 1153.5, 3690, 300, "tpu7x"),
        _gpu("a100", 80, 312, 2039, 300, "a100/"),
        _gpu("h100", 80, 989, 3350, 450, "h100/"),
        _gpu("h200", 141, 989, 4800, 450, "h200/"),
    )
}


def host(devices: int) -> Chip:
    """One of several devices that share this machine's memory; what it can do is not known."""
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return Chip("cpu", pages * size // devices, 0.0, 0.0, 0.0, "this machine", "cpu")


def chip(name: str, devices: int) -> Chip:
    """The row of the table.

    Raises:
        PlanError: if there is no such chip.
    """
    if name == "cpu":
        return host(devices)
    if name not in CHIPS:
        raise PlanError(f"no chip {name!r}; there are {', '.join(CHIPS)} and cpu")
    return CHIPS[name]
