"""What is wrong with a config, in one line."""

import json
from collections.abc import Iterator
from typing import Any

import pydantic

from sage_jax.telling import OneLine, brief, printable

_DEEPEST = 20  # Of a fault that is named; no field of a config lies so deep.
_MOST_FAULTS = 8  # That are told at once.


class ConfigError(OneLine):
    """A configuration that cannot be run, with a message fit to be shown as it is."""


def explain(error: pydantic.ValidationError) -> str:
    """The faults of a config in one line."""
    faults = error.errors()
    told = [_explain(fault) for fault in faults[:_MOST_FAULTS]]
    more = len(faults) - len(told)
    return "; ".join(told) + (f"; and {more} more" if more else "")


def _explain(fault: Any) -> str:
    field = printable(".".join(str(part)[:100] for part in fault["loc"]))
    if fault["type"] == "extra_forbidden":
        return f"{field}: there is no such field"
    if fault["type"] == "missing":
        return f"{field}: must be given"
    message = printable(fault["msg"].removeprefix("Value error, "))
    return f"{field}: {message} (got {brief(fault['input'])})" if field else message


def culprit(data: Any) -> str:
    """The field that JSON does not take, as the beginning of a sentence."""
    for field, value in _leaves(data, "", ()):
        try:
            as_json({field: value})
        except (TypeError, ValueError):
            return f"{printable(field)[:200]}: "
    return ""


def _leaves(tree: Any, field: str, above: tuple[int, ...]) -> Iterator[tuple[str, Any]]:
    """(name, value) of all that is no mapping or list; what holds itself is passed over."""
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in pairs:
        name = f"{field}.{key}" if field else str(key)
        if not isinstance(value, dict | list):
            yield name, value
        elif id(value) not in above and len(above) < _DEEPEST:
            yield from _leaves(value, name, (*above, id(value)))


def as_json(value: Any) -> bytes:
    """The form that pydantic checks.

    Raises:
        TypeError, ValueError: of what JSON does not hold.
    """
    return json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
