"""What a reward of the user's own gives, read as numbers or refused."""

import inspect
import math
from collections.abc import Mapping, Set
from typing import Any

from sage_jax.telling import brief

_MOST = 3.4028234e38  # Rewards are float32.


def number(value: Any) -> float:
    """A finite number, also of a boolean, a NumPy scalar or an array of one element.

    Raises:
        ValueError: if it is none.

    >>> number(True), number(3)
    (1.0, 3.0)
    """
    if inspect.isawaitable(value):
        getattr(value, "close", lambda: None)()  # Else Python warns that nobody awaited it.
        raise ValueError("gives a coroutine, and not a number: define it by `async def`")
    found = _float(value)
    if not abs(found) <= _MOST:
        raise ValueError(f"gives {brief(value)}, which is no finite number")
    return found


def _float(value: Any) -> float:
    if isinstance(value, str | bytes | bytearray):
        return math.nan
    item: Any = getattr(value, "item", None)  # Of arrays, whatever library they are of.
    try:
        plain: Any = item() if callable(item) else value
        return float(plain)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def with_word(value: Any) -> tuple[float, str]:
    """A number and the word on it, of a number or of (number, word).

    Raises:
        ValueError: if it is neither.

    >>> with_word(0.5), with_word((0, "too long"))
    ((0.5, 'correct'), (0.0, 'too long'))
    """
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], str):
        return number(value[0]), value[1]
    found = number(value)
    return found, word(found)


def numbers(values: Any, count: int) -> list[float]:
    """That many numbers, of a list or an array.

    Raises:
        ValueError: if it is something else, or holds more or fewer.
    """
    if inspect.isawaitable(values):
        number(values)
    plain: Any = getattr(values, "tolist", None)
    listed: Any = plain() if callable(plain) else values
    many = not isinstance(listed, str | bytes | Mapping | Set) and hasattr(listed, "__getitem__")
    if many and len(listed) != count:
        raise ValueError(f"gives {len(listed)} numbers for {count} completions")
    if not many:
        raise ValueError(f"gives {brief(values)}; {count} numbers are needed, one a completion")
    return [number(value) for value in listed]


def word(value: float) -> str:
    """The word on a reward that has none of its own."""
    return "correct" if value > 0 else "wrong"
