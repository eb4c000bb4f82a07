r"""Which answers are one candidate of a vote: those that are equal in value, as far as is read.

Merged are numbers of one value however they are spelt (`1/2`, `0.5`, `\frac12`, `50\%`), with and
without their unit while only one unit is about, lists in any order, pairs and intervals member by
member, words in any case and style, and a value with and without the name before it (`x = 3`, `3`).
Not merged are expressions that would have to be worked out (`2\sqrt{3}` and `\sqrt{12}`): they
count as written, tidied. Linear in the text, so safe in the process that trains.
"""

from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction

from sage_jax.rewards.answers import oversized
from sage_jax.rewards.names import is_label
from sage_jax.rewards.reading import (
    BASED,
    EQUATION,
    LIST,
    MATRIX,
    NUMBER,
    UNION,
    WORDS,
    Reading,
    read,
)
from sage_jax.rewards.tidy import squeezed, tidy

_NO_UNIT = ""


def candidates(answers: Sequence[str]) -> list[str]:
    r"""Name the candidate that each answer votes for: the first answer that is equal to it.

    >>> candidates(["1/2", "7 cm", "0.5", "7", r"\frac12", "8"])
    ['1/2', '7 cm', '1/2', '7 cm', '1/2', '8']
    """
    keys = {answer: _key(answer) for answer in dict.fromkeys(answers)}
    units: dict[str, set[str]] = defaultdict(set)
    for value, unit in keys.values():
        units[value].add(unit)
    names: dict[tuple[str, str], str] = {}
    return [names.setdefault(_joined(*keys[answer], units), answer) for answer in answers]


def _joined(value: str, unit: str, units: dict[str, set[str]]) -> tuple[str, str]:
    """A value without a unit joins the one with it, unless there are several to choose from."""
    named = units[value] - {_NO_UNIT}
    return (value, named.pop() if unit == _NO_UNIT and len(named) == 1 else unit)


def _key(answer: str) -> tuple[str, str]:
    """What is equal for equal answers: the value and its unit."""
    tidied = None if oversized(answer) else tidy(answer)
    return _of(read(tidied, is_gold=False)) if tidied else (f"text {answer}", _NO_UNIT)


def _of(reading: Reading) -> tuple[str, str]:
    if reading.kind == NUMBER and reading.value is not None:
        return _number(reading.value, reading.unit)
    if reading.kind == EQUATION:
        return _equation(reading)
    return _without_unit(reading), _NO_UNIT


def _number(value: Fraction, unit: str | None) -> tuple[str, str]:
    if unit == "%":
        value, unit = value / 100, None
    return f"number {value}", unit or _NO_UNIT


def _equation(reading: Reading) -> tuple[str, str]:
    """A value behind names or values that equal it: x = 3, 1 + 2 = 3 counts as written."""
    *before, last = reading.items
    others = [_of(side) for side in before if not is_label(side.text)]
    return _of(last) if all(other == _of(last) for other in others) else _written(reading)


def _without_unit(reading: Reading) -> str:
    if reading.kind in (LIST, UNION, MATRIX) and reading.items:
        members = [" ".join(_of(item)) for item in reading.items]
        if reading.kind != MATRIX and not reading.ends:
            members.sort()
        return f"{reading.kind} {reading.ends} {members}"
    if reading.kind == WORDS:
        return f"words {reading.bare}"
    if reading.kind == BASED:
        return f"based {reading.bare} {reading.value}"
    return _written(reading)[0]


def _written(reading: Reading) -> tuple[str, str]:
    return f"text {squeezed(reading.text)}", _NO_UNIT
