"""Bytes that a chip sends in the collective operations of a compiled program."""

import math
import re

from sage_jax.plan.hlo import Computation, Instruction, Module

KINDS = ("all-gather", "all-reduce", "reduce-scatter", "all-to-all", "collective-permute",
         "collective-broadcast", "ragged-all-to-all")  # fmt: skip
_STAGE = re.compile(r'"async_collective_fusion_config":\{"flag_start":"(-?\d+)"')


def kind_of(one: Instruction, computation: Computation) -> str | None:
    """Which collective begins here, or None.

    Of an asynchronous pair the start counts and the end does not. A TPU's program writes one that
    goes on beside other work again in each fusion that drives it on, the loops between start and
    end too; only the start has no stage to begin from. A TPU's reduce-scatter is a computation of
    that name around an all-reduce.
    """
    kind = one.opcode.removesuffix("-start")
    stage = _STAGE.search(one.attributes)
    if kind not in KINDS or (stage and stage[1] != "-1"):
        return None
    if kind == "all-reduce" and "all-reduce-scatter" in computation.name:
        return "reduce-scatter"
    return kind


def sent(one: Instruction, kind: str, computation: Computation, module: Module) -> int:
    """Bytes that one chip sends for one run, by the ring algorithm over g chips.

    All-gather and all-to-all: (g - 1) / g of the whole; all-reduce: twice that; reduce-scatter:
    (g - 1) / g of its operand; permute: its operand.
    """
    operands = sum(
        shape.size for name in one.operands for shape in computation.by_name[name].shapes
    )
    size = group_size(one, module)
    match kind:
        case "collective-permute" | "collective-broadcast":
            return operands
        case "all-gather":
            return operands * (size - 1)
        case "all-reduce":
            return 2 * operands * (size - 1) // size
        case _:
            return operands * (size - 1) // size


def group_size(one: Instruction, module: Module) -> int:
    """Chips that take part in one group of a collective.

    Three spellings: {{0,1},{2,3}}, [2,2]<=[4], and axes of a mesh, mesh['a'=2,'b'=2] {'a'}.
    """
    text = one.attributes
    mesh = re.search(r"replica_groups=mesh\[([^\]]*)\][^{]*\{([^}]*)\}", text)
    if mesh:
        sizes = dict(re.findall(r"'([^']+)'=(\d+)", mesh[1]))
        # A part of an axis is written 'a':(before)size.
        axes = re.findall(r"'([^']+)'(?::\(\d+\)(\d+))?", mesh[2])
        return math.prod(int(part or sizes[axis]) for axis, part in axes)
    grid = re.search(r"replica_groups=\[\d+,(\d+)\]", text)
    if grid:
        return int(grid[1])
    listed = re.search(r"replica_groups=\{\{([\d,]*)\}", text)
    return len(listed[1].split(",")) if listed else module.partitions
