"""How often a compiled loop runs."""

import dataclasses
import json
import re

from sage_jax.plan.hlo import Computation, Instruction, Module


@dataclasses.dataclass(frozen=True)
class Trips:
    """Runs of a loop's body.

    Attributes:
        count: how many, at most.
        exact: false where the loop may end sooner because of what it computes, as decoding does.
    """

    count: int
    exact: bool


def trips(loop: Instruction, home: Computation, module: Module, *, unknown: int = 1) -> Trips:
    """The runs of a `while`, from what XLA knows of it or from its condition i < n.

    A condition of several parts gives the bound of the part that compares a counter; a loop
    without a bound counts `unknown` times.
    """
    known = re.search(r'"known_trip_count":(\{[^}]*\})', loop.attributes)
    if known:
        return Trips(int(json.loads(known[1])["n"]), True)
    condition = module.computations[loop.attribute("condition").lstrip("%")]
    bounds = [
        bound
        for one, where in _compares(condition, module)
        if (bound := _bound(one, where, condition, loop, home)) is not None
    ]
    if not bounds:
        return Trips(unknown, False)
    root = _through_fusion(condition.root, module)
    return Trips(min(bounds), root is not None and root.opcode == "compare")


def _through_fusion(one: Instruction, module: Module) -> Instruction | None:
    while one.opcode == "fusion":
        one = module.computations[one.called[0]].root
    return one


def _compares(
    condition: Computation, module: Module
) -> list[tuple[Instruction, Computation | None]]:
    """Compare instructions of a condition, with the fusion's computation where in one."""
    found: list[tuple[Instruction, Computation | None]] = []
    for one in condition.instructions:
        if one.opcode == "compare":
            found.append((one, None))
        elif one.opcode in ("fusion", "call"):
            inner = module.computations[one.called[0]]
            found += [(x, inner) for x in inner.instructions if x.opcode == "compare"]
    return found


def _bound(
    one: Instruction, inner: Computation | None, condition: Computation,
    loop: Instruction, home: Computation,
) -> int | None:  # fmt: skip
    """What is left of a comparison counter < n from where the counter, which adds one, starts."""
    if one.attribute("direction") not in ("LT", "GT") or not one.operands:
        return None
    low, high = one.operands if one.attribute("direction") == "LT" else one.operands[::-1]
    values = [_value(name, inner, condition, loop, home) for name in (low, high)]
    if values[0] is None or values[1] is None or values[0][1] or not values[1][1]:
        return None
    return max(values[1][0] - values[0][0], 0)


def _value(
    name: str, inner: Computation | None, condition: Computation, loop: Instruction,
    home: Computation,
) -> tuple[int, bool] | None:  # fmt: skip
    """A scalar before the loop, and whether it is a constant of it."""
    where = inner or condition
    one = where.by_name.get(name)
    if one is None:
        return None
    if one.opcode == "constant":
        return (int(one.literal), True) if re.fullmatch(r"-?\d+", one.literal) else None
    if one.opcode == "parameter" and inner is not None:
        caller = next(x for x in condition.instructions if inner.name in x.called)
        return _value(caller.operands[int(one.literal)], None, condition, loop, home)
    if one.opcode in ("copy", "bitcast", "convert"):
        return _value(one.operands[0], inner, condition, loop, home)
    if one.opcode == "add":
        parts = [_value(x, inner, condition, loop, home) for x in one.operands]
        if any(part is None for part in parts):
            return None
        return sum(part[0] for part in parts if part), all(part[1] for part in parts if part)
    if one.opcode == "get-tuple-element":
        return _carried(int(one.attribute("index")), condition, loop, home)
    return None


def _carried(
    index: int, condition: Computation, loop: Instruction, home: Computation
) -> tuple[int, bool]:
    """What the loop's state holds at `index` at first; a counter of unknown start begins at 0.

    Compilers hand a loop's limit in as part of its state: that is a scalar constant which is not 0.
    """
    start = home.by_name[loop.operands[0]]
    if start.opcode != "tuple":
        return 0, False
    one = home.by_name.get(start.operands[index])
    while one is not None and one.opcode in ("copy", "bitcast", "convert") and one.operands:
        one = home.by_name.get(one.operands[0])
    if one is None or one.opcode != "constant" or not re.fullmatch(r"-?\d+", one.literal):
        return 0, False
    value = int(one.literal)
    return value, value > 1
