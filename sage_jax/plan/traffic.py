"""Bytes that an instruction moves between memory and compute."""

from sage_jax.plan.collectives import KINDS
from sage_jax.plan.hlo import Computation, Instruction, Module, Shape

# What only renames or hands on, or is counted where it begins or ends.
_FREE = {
    "parameter", "constant", "tuple", "get-tuple-element", "bitcast", "while", "conditional",
    "call", "after-all", "partition-id", "replica-id", "copy-done", "async-done", "async-update",
    "opt-barrier", "iota", "domain", "add-dependency",
}  # fmt: skip
_SLICES = {"dynamic-slice", "slice", "gather"}
# What a fusion hands on without computing.
_PASSED = {"parameter", "tuple", "custom-call", *KINDS}


def moved(one: Instruction, home: Computation, module: Module) -> int:
    """Bytes read from and written to main memory by one run of an instruction outside of fusions.

    Operands are read once and results written once. Of an array that is only sliced the slice is
    read, of one that is updated in place the update is read and written, and what lies in a
    scratchpad costs nothing.
    """
    if one.opcode in _FREE or one.opcode.endswith("-done"):
        return 0
    if one.opcode == "custom-call" and "AllocateBuffer" in one.attributes:
        return 0
    if one.opcode == "fusion":
        return _fusion(one, home, module.computations[one.called[0]], module)
    operands = [_shapes(home, name) for name in one.operands]
    if one.opcode in _SLICES:
        return 2 * _bytes(one.results)
    if one.opcode == "slice-start":
        return 2 * _bytes(one.results) or one.results[0].size
    if one.opcode == "dynamic-update-slice":
        return 2 * _bytes(operands[1])
    return _bytes(one.results) + sum(map(_bytes, operands))


def _fusion(one: Instruction, home: Computation, inside: Computation, module: Module) -> int:
    read = 0
    for place, name in enumerate(one.operands):
        whole = _bytes(_shapes(home, name))
        read += min(whole, _read(place, inside, module)) if whole else 0
    return read + _written(one, inside)


def _read(place: int, inside: Computation, module: Module) -> int:
    """Bytes of a fusion's operand that are looked at, as far as its first users tell."""
    parameter = inside.parameters[place]
    total = 0
    for user, name in _readers(parameter.name, inside):
        if user.opcode in _SLICES:
            total += user.shape.size
        elif user.opcode == "fusion":
            nested = module.computations[user.called[0]]
            places = [at for at, operand in enumerate(user.operands) if operand == name]
            total += sum(_read(at, nested, module) for at in places)
        elif not _handed_on(user, name):
            return parameter.shape.size
    return total


def _handed_on(user: Instruction, name: str) -> bool:
    """Whether a user only passes an array on, writes into it, or sends it to other chips.

    A TPU's program threads a running collective's arrays through the fusions that it overlaps with.
    """
    if user.opcode == "dynamic-update-slice":
        return user.operands[0] == name
    return user.opcode in _PASSED


def _readers(name: str, inside: Computation) -> list[tuple[Instruction, str]]:
    """Users and the name they use, looking through what only renames."""
    found = []
    for user in inside.users(name):
        found += _readers(user.name, inside) if user.opcode == "bitcast" else [(user, name)]
    return found


def _written(one: Instruction, inside: Computation) -> int:
    root = inside.root
    parts = [inside.by_name[name] for name in root.operands] if root.opcode == "tuple" else [root]
    total = 0
    for part, shape in zip(parts, one.shapes, strict=False):
        while part.opcode == "bitcast":
            part = inside.by_name[part.operands[0]]
        if not shape.in_memory:
            continue
        if part.opcode == "dynamic-update-slice":
            total += inside.by_name[part.operands[1]].shape.size
        elif part.opcode not in _PASSED:
            total += shape.size
    return total


def _shapes(home: Computation, name: str) -> tuple[Shape, ...]:
    return home.by_name[name].shapes if name in home.by_name else ()


def _bytes(shapes: tuple[Shape, ...]) -> int:
    return sum(shape.size for shape in shapes if shape.in_memory)
