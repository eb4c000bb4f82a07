"""Arguments of a part: which a config can give, and whether those given fit."""

import inspect
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import pydantic

from sage_jax.faults import ConfigError, as_json, hint_of, renamed, told
from sage_jax.parts.modules import near_miss
from sage_jax.parts.room import Room
from sage_jax.parts.spec import Spec, TaskSpec
from sage_jax.telling import brief, line


class _Column:
    def __str__(self) -> str:
        return "the column of that name"


COLUMN = _Column()
"""Default of an argument that a column of the data gives where no config does."""


def arguments(
    function: Callable[..., Any], given: Iterable[str], data: Iterable[str] = ()
) -> dict[str, inspect.Parameter]:
    """The parameters of a function that a config can give, by name.

    Those that the trainer gives are left out, and those whose type no YAML holds; of a union only
    members that it does remain. What `Room.data` lets a function take of the data has the default
    `COLUMN`.

    Raises:
        ValueError, NameError: of a function whose signature cannot be read.
    """
    found, parameters = {}, inspect.signature(function, eval_str=True).parameters
    takes_columns = not parameters.keys().isdisjoint(data)
    for name, parameter in parameters.items():
        if takes_columns and _is_bare(parameter):
            parameter = parameter.replace(default=COLUMN)
        by_name = parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        if by_name and name not in given:
            kind = _writable(parameter.annotation)
            if kind is not None:
                found[name] = parameter.replace(annotation=kind)
            elif parameter.default is parameter.empty:
                raise ValueError(f"no config can hold its argument {name!r}")
    return found


def _is_bare(parameter: inspect.Parameter) -> bool:
    """Whether it is positional and has no default."""
    bare = parameter.default is parameter.empty
    return bare and parameter.kind is parameter.POSITIONAL_OR_KEYWORD


def checked(spec: Spec, function: Callable[..., Any], room: Room, field: str) -> Mapping[str, Any]:
    """The arguments that a spec gives, as the function takes them.

    Raises:
        ConfigError: if one is missing, unknown or of another type.
    """
    given = room.given
    try:
        takes = arguments(function, given, room.data)
    except (TypeError, ValueError, NameError) as error:
        raise ConfigError(f"{field}: {spec.use}: {line(error)}") from None
    _refuse_unknown(spec, takes, given, field)
    _refuse_blind(spec, function, takes, room, field)
    try:
        found = _form(takes).model_validate_json(as_json(spec.options))
    except pydantic.ValidationError as error:
        raise ConfigError("; ".join(_faults(error, takes, given, field, spec.is_foreign))) from None
    return {
        name: getattr(found, f"a{place}")
        for place, name in enumerate(takes)
        if f"a{place}" in found.model_fields_set
    }


_STRICT = pydantic.ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


def _form(takes: Mapping[str, inspect.Parameter]) -> type[pydantic.BaseModel]:
    """A model with a field for each argument, under a name that no model has itself."""
    fields: dict[str, Any] = {
        f"a{place}": (p.annotation, pydantic.Field(... if p.default is p.empty else None, alias=n))
        for place, (n, p) in enumerate(takes.items())
    }
    return pydantic.create_model("Arguments", __config__=_STRICT, **fields)


def _refuse_unknown(
    spec: Spec, takes: Mapping[str, inspect.Parameter], given: tuple[str, ...], field: str
) -> None:
    for name in spec.options:
        if name in TaskSpec.shared() and name in given:
            raise ConfigError(f"{field}.{name}: is said once for all tasks: task.{name}")
        if name in given:
            raise ConfigError(f"{field}.{name}: is given by the trainer, not by a config")
        if name not in takes and renamed(f"{field}.{name}"):
            raise ConfigError(f"{field}.{name}: {renamed(f'{field}.{name}')}")
        if name not in takes:
            has = f"it takes {', '.join(takes)}" if takes else "it takes none"
            raise ConfigError(
                f"{field}.{name}: {spec.use} has no such argument{near_miss(name, takes)}; {has}"
            )


def _refuse_blind(
    spec: Spec,
    function: Callable[..., Any],
    takes: Mapping[str, inspect.Parameter],
    room: Room,
    field: str,
) -> None:
    """Refuse a function that asks for nothing that it has to, and has another name for it."""
    asks = inspect.signature(function).parameters
    bare = [name for name, one in takes.items() if _is_bare(one) and name not in spec.options]
    if room.asked and bare and asks.keys().isdisjoint(room.asked):
        raise ConfigError(
            f"{field}: {spec.use} asks for none of {', '.join(room.asked)}: name the parameter of "
            f"the {room.asked[0]} `{room.asked[0]}`, or give `{bare[0]}` beside `use` if it makes "
            "a judge"
        )


def _faults(
    error: pydantic.ValidationError,
    takes: Mapping[str, inspect.Parameter],
    given: tuple[str, ...],
    field: str,
    foreign: bool,
) -> Iterator[str]:
    seen: set[str] = set()
    for fault in error.errors():
        name = str(fault["loc"][0])
        kind = takes[name].annotation
        if fault["type"] == "missing" and len(fault["loc"]) == 1:
            # Who names a parameter of ours knows its name.
            yield f"{field}.{name}: must be given{_gives(name, given) if foreign else ''}"
        elif not _is_union(kind):
            yield told(".".join([field, *map(str, fault["loc"])]), fault)
        elif name not in seen:  # Pydantic tells a fault for every member.
            hint = hint_of(fault["type"], fault["input"])
            got = brief(fault["input"])
            yield f"{field}.{name}: Input should be {shown(kind)} (got {got}){hint}"
        seen.add(name)


def _gives(name: str, given: tuple[str, ...]) -> str:
    """What the trainer gives, or what of it was perhaps meant."""
    if near := near_miss(name, given, "which the trainer gives"):
        return near
    return f" (the trainer gives {', '.join(given)})" if given else ""


def shown(kind: Any) -> str:
    """A type as a person writes it.

    >>> shown(float | tuple[float, float]), shown(typing.Literal["a", "b"])
    ('float or [float, float]', "'a' or 'b'")
    >>> shown(dict[str, list[int]] | None)
    '{str: [int, ...], ...} or null'
    """
    members = typing.get_args(kind)
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return " or ".join(map(shown, members))
    if typing.get_origin(kind) is typing.Literal:
        return " or ".join(map(repr, members))
    if typing.get_origin(kind) is tuple:
        return f"[{', '.join('...' if m is Ellipsis else shown(m) for m in members)}]"
    if typing.get_origin(kind) is list:
        return f"[{shown(members[0])}, ...]"
    if typing.get_origin(kind) is dict:
        return f"{{{': '.join(map(shown, members))}, ...}}"
    if kind is type(None):
        return "null"
    if isinstance(kind, type) and issubclass(kind, Spec):
        return "{use: NAME, ...}"
    plain = isinstance(kind, type) and not members
    return kind.__name__ if plain else str(kind).replace("typing.", "")


def _is_union(kind: Any) -> bool:
    """Whether pydantic tries several types: one beside null is no choice."""
    union = typing.get_origin(kind) in (typing.Union, types.UnionType)
    return union and len([m for m in typing.get_args(kind) if m is not type(None)]) > 1


def _writable(annotation: Any) -> Any:
    """What of a type YAML can hold; None if nothing."""
    if annotation is inspect.Parameter.empty:
        return Any
    union = typing.get_origin(annotation) in (typing.Union, types.UnionType)
    members = typing.get_args(annotation) if union else (annotation,)
    kept = tuple(member for member in members if _has_json(member))
    return typing.Union[kept] if kept else None  # noqa: UP007 - of a tuple


def _has_json(kind: Any) -> bool:
    try:
        pydantic.TypeAdapter(kind).json_schema()
    except pydantic.PydanticUserError:
        return False
    return True
