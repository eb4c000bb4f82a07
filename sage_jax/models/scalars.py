"""Single values of a model's config, checked for kind and range."""

import math
from collections.abc import Mapping
from typing import Any

from sage_jax.models.errors import ModelError
from sage_jax.telling import brief

# Far above any model, and low enough that a damaged file is refused before memory is asked for.
_MOST_LAYERS, _MOST = 10_000, 2**31 - 1


def check_positive(name: str, value: Any) -> None:
    """Raise `ModelError` unless `value` is a positive integer of a size that a model may have."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ModelError(f"{name} is {brief(value)}; it must be a positive integer")
    most = _MOST_LAYERS if name in ("num_layers", "num_hidden_layers") else _MOST
    if value > most:
        raise ModelError(f"{name} is {brief(value)}; it must be at most {most}")


def integer(hf: Mapping[str, Any], name: str, default: int | None = None) -> int:
    """The positive integer of that name; the default where it is missing or null.

    Raises:
        ModelError: It is no such number, or missing without a default.
    """
    value = hf.get(name)
    value = default if value is None else value
    if value is None:
        raise ModelError(f"{name} is missing from config.json")
    check_positive(name, value)
    return value


def number(hf: Mapping[str, Any], name: str, default: float) -> float:
    """The positive, finite number of that name; the default where it is missing or null.

    Raises:
        ModelError: It is no such number.
    """
    value = hf.get(name)
    value = default if value is None else value
    if not is_number(value) or not 0 < value < math.inf:
        raise ModelError(f"{name} is {brief(value)}; it must be a positive number")
    return float(value)


def flag(hf: Mapping[str, Any], name: str) -> bool:
    """Whether the field of that name is true; missing and null are false.

    Raises:
        ModelError: It is neither true nor false.
    """
    value = hf.get(name)
    if value is not None and not isinstance(value, bool):
        raise ModelError(f"{name} is {brief(value)}; it must be true or false")
    return bool(value)


def is_number(value: Any) -> bool:
    """Whether a value is a number and not a truth value, which Python counts among them."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)
