"""The parts that a config can name, as text for a terminal."""

import inspect
from collections.abc import Iterator

from sage_jax.faults import ConfigError
from sage_jax.parts.arguments import COLUMN, arguments, shown
from sage_jax.parts.modules import near_miss
from sage_jax.parts.resolve import Part, find
from sage_jax.parts.room import Room
from sage_jax.parts.rooms import (
    ADVANTAGES,
    CURRICULA,
    ESTIMATORS,
    GATES,
    GUIDES,
    LISTENERS,
    REDUCTIONS,
    REPAIRS,
    REWARDS,
    SURROGATES,
    TASKS,
)
from sage_jax.parts.spec import ListenerSpec, RewardSpec, Spec, TaskSpec

ROOMS = (
    GUIDES, SURROGATES, ESTIMATORS, GATES, REDUCTIONS, ADVANTAGES, REWARDS, TASKS, REPAIRS,
    CURRICULA, LISTENERS,
)  # fmt: skip
# What may stand beside the arguments of any part of a kind.
_BESIDE: dict[str, type[Spec]] = {
    REWARDS.kind: RewardSpec, TASKS.kind: TaskSpec, LISTENERS.kind: ListenerSpec,
}  # fmt: skip
# Forms of a reward by what it asks for, see `data.rewards`.
_FORMS = {
    "completion": "of one completion", "completions": "of a batch", "tokens": "of tokens, in JAX",
}  # fmt: skip


def listing(kind: str = "", name: str = "") -> str:
    """Every part of every kind with its arguments; or of one kind; or one part with its docstring.

    Args:
        kind: as in `guide`; empty for all.
        name: of a part of that kind, or `module:function`; empty for all.

    Raises:
        ConfigError: if there is no such kind or name.
    """
    kinds = {room.kind: room for room in ROOMS}
    if kind and kind not in kinds:
        raise ConfigError(
            f"parts: there is no kind {kind!r}{near_miss(kind, kinds)}; there are "
            f"{', '.join(kinds)}"
        )
    if name:
        return "\n".join(_one(kinds[kind], name)) + "\n"
    return "\n".join(_room(room) for room in ROOMS if not kind or room.kind == kind)


def _room(room: Room) -> str:
    where = f"in {room.module}, or " if room.module else ""
    lines = [f"{room.kind}: `{room.field}` of a config, {where}module:function of your own"]
    for name in room.names():
        part = _part(room, name)
        lines += [f"  {_signature(part, room)}", f"      {_doc(part)[0]}"]
    beside = ", ".join(n for n in _BESIDE.get(room.kind, Spec).model_fields if n != "use")
    lines += [f"  beside the arguments of each: {beside}"] if beside else []
    return "\n".join(lines) + "\n"


def _one(room: Room, name: str) -> Iterator[str]:
    part = _part(room, name)
    yield _signature(part, room)
    yield from (f"    {line}".rstrip() for line in _doc(part))
    yield from _reads(part, room)
    for argument in arguments(part.function, room.given, room.data).values():
        given = argument.default is not argument.empty
        default = f", default {plain(argument.default)}" if given else ", must be given"
        yield f"  {argument.name}: {shown(argument.annotation)}{default}"
    yield from _beside(room)


def _reads(part: Part, room: Room) -> Iterator[str]:
    """What a part asks the trainer and the data for, and the form that follows from it."""
    names = inspect.signature(part.function).parameters
    if room.asked:
        forms = (form for name, form in _FORMS.items() if name in names)
        yield f"  form: {next(forms, 'a judge, made once')}"
    if asked := [name for name in names if name in room.given]:
        yield f"  given by the trainer: {', '.join(asked)}"


def _beside(room: Room) -> Iterator[str]:
    """The fields that stand beside the arguments of any part of a kind, each with its meaning."""
    for name, field in _BESIDE.get(room.kind, Spec).model_fields.items():
        if name != "use":
            yield f"  {name}: {shown(field.annotation)}, default {plain(field.default)}"
            yield from (f"      {line}" for line in (field.description or "").splitlines())


def _part(room: Room, name: str) -> Part:
    spec = Spec(use=name)
    return Part(room.kind, spec, find(spec, room, field=room.kind), {})


def _signature(part: Part, room: Room) -> str:
    takes = arguments(part.function, room.given, room.data).values()
    takes = [p for p in takes if p.default is not COLUMN]
    words = [p.name if p.default is p.empty else f"{p.name}: {plain(p.default)}" for p in takes]
    return f"{{use: {', '.join([part.spec.use, *words])}}}" if words else part.spec.use


def plain(value: object) -> str:
    """A default as a config writes it."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(plain, value))}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value) if value != "" else "''"


def _doc(part: Part) -> list[str]:
    return (inspect.getdoc(part.function) or "no docstring").splitlines()
