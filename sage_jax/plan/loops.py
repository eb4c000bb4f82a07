"""How often a compiled loop runs."""

import dataclasses
import json
import re

from sage_jax.plan.hlo import Computation, Instruction, Module

_COPIES = ("copy", "bitcast", "convert")


@dataclasses.dataclass(frozen=True)
class _Scalar:
    """A number before the loop, and whether it is a constant of it.

    Where the loop carries it, `index` is its place in the loop's state.
    """

    value: int
    constant: bool
    index: int | None = None


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
        if (bound := _bound(one, where, condition, loop, home, module)) is not None
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
    one: Instruction,
    inner: Computation | None,
    condition: Computation,
    loop: Instruction,
    home: Computation,
    module: Module,
) -> int | None:
    """The runs that a comparison counter < n leaves from where the counter starts."""
    if one.attribute("direction") not in ("LT", "GT") or not one.operands:
        return None
    names = one.operands if one.attribute("direction") == "LT" else one.operands[::-1]
    low, high = (_value(name, inner, condition, loop, home) for name in names)
    if low is None or high is None or low.constant or not high.constant:
        return None
    return -(-max(high.value - low.value, 0) // _step(low.index, loop, module))


def _step(index: int | None, loop: Instruction, module: Module) -> int:
    """What a run of the loop's body adds to its counter: 2 where the compiler has doubled it."""
    body = module.computations[loop.attribute("body").lstrip("%")]
    if index is None or body.root.opcode != "tuple":
        return 1
    one = _renamed(body.by_name.get(body.root.operands[index]), body)
    if one is None or one.opcode != "add":
        return 1
    added = (_renamed(body.by_name.get(name), body) for name in one.operands)
    steps = (int(x.literal) for x in added if x is not None and _is_number(x))
    return max(next(steps, 1), 1)


def _renamed(one: Instruction | None, home: Computation) -> Instruction | None:
    """What an instruction only copies or converts."""
    while one is not None and one.opcode in _COPIES and one.operands:
        one = home.by_name.get(one.operands[0])
    return one


def _is_number(one: Instruction) -> bool:
    return one.opcode == "constant" and re.fullmatch(r"-?\d+", one.literal) is not None


def _value(
    name: str,
    inner: Computation | None,
    condition: Computation,
    loop: Instruction,
    home: Computation,
) -> _Scalar | None:
    """A scalar of a condition."""
    where = inner or condition
    one = _renamed(where.by_name.get(name), where)
    if one is None:
        return None
    if one.opcode == "constant":
        return _Scalar(int(one.literal), True) if _is_number(one) else None
    if one.opcode == "parameter" and inner is not None:
        caller = next(x for x in condition.instructions if inner.name in x.called)
        return _value(caller.operands[int(one.literal)], None, condition, loop, home)
    if one.opcode == "add":
        return _sum([_value(x, inner, condition, loop, home) for x in one.operands])
    if one.opcode == "get-tuple-element":
        return _carried(int(one.attribute("index")), loop, home)
    return None


def _sum(parts: list[_Scalar | None]) -> _Scalar | None:
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    index = next((part.index for part in known if not part.constant), None)
    return _Scalar(sum(x.value for x in known), all(x.constant for x in known), index)


def _carried(index: int, loop: Instruction, home: Computation) -> _Scalar:
    """What the loop's state holds at `index` at first; a counter of unknown start begins at 0.

    Compilers hand a loop's limit in as part of its state: that is a scalar constant above 1.
    """
    start = home.by_name[loop.operands[0]]
    if start.opcode != "tuple":
        return _Scalar(0, False, index)
    one = _renamed(home.by_name.get(start.operands[index]), home)
    if one is None or not _is_number(one):
        return _Scalar(0, False, index)
    return _Scalar(int(one.literal), int(one.literal) > 1, index)
