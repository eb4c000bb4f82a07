"""Which arrays of a scheduled program are alive when it needs most memory."""

import dataclasses
import functools

from sage_jax.plan.hlo import Computation, Instruction, Module, Shape

# Results that are their operands under another name.
_SAME = {"bitcast", "opt-barrier", "while", "domain", "add-dependency"}
_DONE = ("copy-done", "slice-done", "all-gather-done", "all-reduce-done", "async-done",
         "collective-permute-done")  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Buffer:
    """One array in main memory.

    Attributes:
        shape: its shape, with layout.
        origin: the instruction that makes it.
    """

    shape: Shape
    origin: Instruction


@dataclasses.dataclass(frozen=True)
class Alive:
    """What is alive at the moment of most memory, arguments not counted.

    Attributes:
        size: bytes, with the padding of tiles.
        buffers: the arrays.
    """

    size: int
    buffers: tuple[Buffer, ...]


def at_peak(module: Module) -> Alive:
    """Follow the schedule and find where most is alive.

    A simulation of what XLA's buffer assignment does, good to some per cent: loops work in place
    on their state, updates of slices write into their operand, and nothing is fragmented.
    """
    return _Simulation(module).peak(module.entry)


class _Simulation:
    def __init__(self, module: Module):
        self.module = module
        self.peak = functools.cache(self._peak)

    def _peak(self, name: str) -> Alive:
        home = self.module.computations[name]
        values = _values(home, self.module)
        last = _last_uses(home, values)
        alive: dict[int, Buffer] = {}
        size, best = 0, Alive(0, ())
        for place, one in enumerate(home.instructions):
            if _in_place(one):
                size -= _release(one, place, values, alive, last)
            for key, buffer in _made(one, values).items():
                if key in last:
                    alive[key] = buffer
                    size += buffer.shape.padded
            inner = self._inner(one)
            if size + inner.size > best.size:
                best = Alive(size + inner.size, (*alive.values(), *inner.buffers))
            for key in [key for key in alive if last[key] <= place]:
                size -= alive.pop(key).shape.padded
        return best

    def _inner(self, one: Instruction) -> Alive:
        """What a loop's body or a called computation needs beside its parameters."""
        if one.opcode not in ("while", "call", "conditional"):
            return Alive(0, ())
        names = (*one.called, *one.branches)
        return max((self.peak(name) for name in names), key=lambda a: a.size)


def _in_place(one: Instruction) -> bool:
    """Whether the result may take the place of operands that nothing else reads."""
    return one.opcode == "all-reduce" or "kind=kLoop" in one.attributes


def _release(
    one: Instruction,
    place: int,
    values: dict[str, "_Value"],
    alive: dict[int, Buffer],
    last: dict[int, int],
) -> int:
    """Bytes of operands read here for the last time that are as large as a result."""
    sizes = [shape.padded for shape in one.shapes if shape.in_memory]
    freed = 0
    for key in {key for name in one.operands for key, _ in values.get(name, [])}:
        if key in alive and last[key] == place and alive[key].shape.padded in sizes:
            sizes.remove(alive[key].shape.padded)
            freed += alive.pop(key).shape.padded
    return freed


# A value is one key a leaf: (number of the buffer, buffer made here or None).
_Value = list[tuple[int, Buffer | None]]


def _values(home: Computation, module: Module) -> dict[str, _Value]:
    """The buffers of every instruction's result; 0 is memory that is not ours to count."""
    values: dict[str, _Value] = {}
    fresh = iter(range(1, 10**9))
    for one in home.instructions:
        values[one.name] = _value(one, values, fresh, module)
    return values


def _value(one: Instruction, values: dict[str, _Value], fresh, module: Module) -> _Value:
    known = [values.get(name, []) for name in one.operands]
    if one.opcode in _SAME:
        return [(key, None) for operand in known[:1] for key, _ in operand]
    if one.opcode in _DONE:
        return [(known[0][0][0], None)] * len(one.shapes) if known and known[0] else []
    if one.opcode == "tuple":
        return [(key, None) for operand in known for key, _ in operand]
    if one.opcode == "get-tuple-element":
        index = int(one.attribute("index"))
        operand = known[0]
        return [(operand[index][0], None)] if index < len(operand) else [(0, None)]
    if one.opcode in ("parameter", "constant"):
        return [(0, None)] * len(one.shapes)
    target = _written_into(one, module)
    return [
        (known[place][0][0], None)
        if (place := target.get(at)) is not None and known[place]
        else _new(one, shape, fresh)
        for at, shape in enumerate(one.results)
    ]


def _new(one: Instruction, shape: Shape, fresh) -> tuple[int, Buffer | None]:
    if not shape.in_memory:
        return (0, None)
    return (next(fresh), Buffer(shape, one))


def _written_into(one: Instruction, module: Module) -> dict[int, int]:
    """Results that take their operand's place, by number: slices updated in place."""
    if one.opcode == "dynamic-update-slice":
        return {0: 0}
    if one.opcode != "fusion":
        return {}
    inside = module.computations[one.called[0]]
    root = inside.root
    parts = root.operands if root.opcode == "tuple" else (root.name,)
    found = {}
    for at, name in enumerate(parts):
        source = _updated(inside.by_name[name], inside)
        if source is not None:
            found[at] = source
    return found


def _updated(one: Instruction, inside: Computation) -> int | None:
    """The number of the parameter that a fusion's result is an update of."""
    while one.opcode in ("bitcast", "dynamic-update-slice"):
        one = inside.by_name[one.operands[0]]
        if one.opcode == "parameter":
            return int(one.literal)
    return None


def _made(one: Instruction, values: dict[str, _Value]) -> dict[int, Buffer]:
    return {key: buffer for key, buffer in values[one.name] if buffer is not None}


def _last_uses(home: Computation, values: dict[str, _Value]) -> dict[int, int]:
    """The place of the last instruction that reads each buffer.

    What a loop's body returns goes where its parameter lay, which the loop's caller counts.
    """
    last: dict[int, int] = {}
    for place, one in enumerate(home.instructions):
        for key, _ in values[one.name]:
            last[key] = place
        for name in one.operands:
            for key, _ in values.get(name, []):
                last[key] = place
    for key, _ in values[home.root.name]:
        last.pop(key, None)
    return last
