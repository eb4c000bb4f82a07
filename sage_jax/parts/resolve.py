"""From a name in a config to the function, with arguments that fit it."""

import contextlib
import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sage_jax.faults import ConfigError
from sage_jax.parts.arguments import checked
from sage_jax.parts.modules import functions, load, near_miss, place, said
from sage_jax.parts.room import Room
from sage_jax.parts.spec import Spec
from sage_jax.telling import OneLine, brief


@dataclasses.dataclass(frozen=True)
class Part:
    """A part that was found, with arguments that fit it.

    Attributes:
        field: of the config that names it.
        spec: what stands there.
        function: that is named.
        options: the arguments given, as the function takes them.
    """

    field: str
    spec: Spec
    function: Callable[..., Any]
    options: Mapping[str, Any]

    def asks(self, name: str) -> bool:
        """Whether the function has a parameter of that name."""
        return name in inspect.signature(self.function).parameters

    def bound(self, **given: Any) -> Callable[..., Any]:
        """The function with its options, and what of `given` it asks for."""
        asked = {name: value for name, value in given.items() if self.asks(name)}
        return functools.partial(self.function, **self.options, **asked)

    def call(self, **given: Any) -> Any:
        """What the function makes of its options, and of what of `given` it asks for.

        Raises:
            ConfigError: with the message of whatever the function raises, and its line.
        """
        with self.explained():
            return self.bound(**given)()

    @contextlib.contextmanager
    def explained(self) -> Iterator[None]:
        """Tell an exception of the part as one line with the field and the user's own line."""
        try:
            yield
        except OneLine:
            raise
        except Exception as error:
            where = place(error, self.function) if self.spec.is_foreign else ""
            raise ConfigError(f"{self.field}: {said(error)}{where}") from error


def resolve(spec: Spec, room: Room, *, field: str) -> Part:
    """Find the part that a config names, and check its arguments. Nothing is called.

    Raises:
        ConfigError: one line with the field, what is wrong, and what there is.
    """
    function = find(spec, room, field=field)
    return Part(field, spec, function, checked(spec, function, room, field))


def find(spec: Spec, room: Room, *, field: str) -> Callable[..., Any]:
    """The function that a spec names, whatever its arguments.

    Raises:
        ConfigError: as `resolve`.
    """
    return _foreign(spec, field) if spec.is_foreign else _own(spec, room, field)


def _own(spec: Spec, room: Room, field: str) -> Callable[..., Any]:
    names = room.names()
    if spec.use in names:
        return room.get(spec.use)
    there = f"there are {', '.join(names)}, or" if names else "name"
    raise ConfigError(
        f"{field}: there is no {room.kind} {brief(spec.use)}{near_miss(spec.use, names)}; {there} "
        "module:function of your own"
    )


def _foreign(spec: Spec, field: str) -> Callable[..., Any]:
    name = spec.label
    if not (spec.module and name):
        raise ConfigError(f"{field}: {brief(spec.use)} names no module: write module:function")
    if "/" in spec.module or spec.module.endswith(".py"):
        plain = spec.module.rpartition("/")[2].removesuffix(".py")
        raise ConfigError(
            f"{field}: {brief(spec.use)}: name a module, not a path: {plain}:{name}, found in the "
            "working directory and in the config's folder"
        )
    module = load(spec.module, field=field)
    function = getattr(module, name, None)
    if callable(function):
        return function
    file, names = getattr(module, "__file__", "?"), functions(module)
    if function is not None:
        raise ConfigError(f"{field}: {name!r} of {file} is {brief(function)}, not a function")
    has = f"it has {', '.join(names)}" if names else "it has none"
    raise ConfigError(f"{field}: {file} has no function {name!r}{near_miss(name, names)}; {has}")
