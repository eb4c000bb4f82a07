"""Ways to reason to the result of a sum, difference or product, in words."""

from collections.abc import Callable
from typing import Literal

Operation = Literal["add", "subtract", "multiply"]
Style = Literal["direct", "split", "round", "reorder"]
STYLES: tuple[Style, ...] = ("direct", "split", "round", "reorder")


def evaluate(operation: Operation, a: int, b: int) -> int:
    """Give a + b, a - b or a × b."""
    return {"add": a + b, "subtract": a - b, "multiply": a * b}[operation]


def work(style: Style, operation: Operation, a: int, b: int) -> str:
    """Write the reasoning of a style: sentences of which every equation is true.

    >>> work("round", "subtract", 82, 47)
    'From 47 up to 50 is 3. From 50 up to 82 is 32. 3 + 32 = 35.'
    """
    return _WORK[operation, style](a, b)


def _parts(number: int) -> list[int]:
    """Split 345 into 300, 40, 5; zeros are left out, 0 itself is [0]."""
    digits = str(number)
    parts = [int(d) * 10 ** (len(digits) - 1 - i) for i, d in enumerate(digits) if d != "0"]
    return parts or [0]


def _round_up(number: int) -> int:
    """Give the next multiple of ten at or above."""
    return -(-number // 10) * 10


def _sums(numbers: list[int]) -> str:
    """Add numbers up from left to right, one equation for each."""
    steps, total = [], numbers[0]
    for number in numbers[1:]:
        steps.append(f"{total} + {number} = {total + number}.")
        total += number
    return " ".join(steps)


def _chain(start: int, sign: str, numbers: list[int]) -> str:
    """Add numbers to a start, or take them away, one equation for each."""
    steps, total = [], start
    for number in numbers:
        result = total + number if sign == "+" else total - number
        steps.append(f"{total} {sign} {number} = {result}.")
        total = result
    return " ".join(steps)


def _spelt(number: int) -> str:
    return f"{number} = {' + '.join(map(str, _parts(number)))}"


def _places(a: int, b: int) -> list[tuple[int, int]]:
    """Pair the digits of equal place value, highest first: 86, 67 to (80, 60), (6, 7)."""
    width = max(len(str(a)), len(str(b)))
    powers = [10**place for place in reversed(range(width))]
    return [(a // power % 10 * power, b // power % 10 * power) for power in powers]


def _add_split(a: int, b: int) -> str:
    places = _places(a, b)
    columns = [f"{x} + {y} = {x + y}." for x, y in places]
    closing = [_sums([x + y for x, y in places])] if len(places) > 1 else []
    return " ".join([f"{_spelt(a)} and {_spelt(b)}.", *columns, *closing])


def _add_round(a: int, b: int) -> str:
    top = _round_up(a)
    gap = top - a
    if gap == 0 or gap > b:
        return f"{a} + {b} = {a + b}."
    return f"{a} + {gap} = {top}. {b} - {gap} = {b - gap}. {top} + {b - gap} = {a + b}."


def _add_reorder(a: int, b: int) -> str:
    return f"{a} + {b} = {b} + {a}. {_chain(b, '+', _parts(a))}"


def _subtract_split(a: int, b: int) -> str:
    return f"{_spelt(b)}. {_chain(a, '-', _parts(b))}"


def _subtract_round(a: int, b: int) -> str:
    top = _round_up(b)
    if top == b or top > a:
        return f"From {b} up to {a} is {a - b}. {b} + {a - b} = {a}."
    return (
        f"From {b} up to {top} is {top - b}. From {top} up to {a} is {a - top}."
        f" {top - b} + {a - top} = {a - b}."
    )


def _subtract_reorder(a: int, b: int) -> str:
    return f"Units first. {_chain(a, '-', _parts(b)[::-1])}"


def _multiply_split(a: int, b: int) -> str:
    products = [part * b for part in _parts(a)]
    columns = [f"{part} × {b} = {part * b}." for part in _parts(a)]
    closing = [_sums(products)] if len(products) > 1 else []
    return " ".join([f"{_spelt(a)}.", *columns, *closing])


def _multiply_round(a: int, b: int) -> str:
    top = _round_up(a)
    if top == a:
        return f"{a // 10} × {b} = {a // 10 * b}. {a} × {b} = {a * b}."
    gap = top - a
    return (
        f"{a} = {top} - {gap}. {top} × {b} = {top * b}. {gap} × {b} = {gap * b}."
        f" {top * b} - {gap * b} = {a * b}."
    )


def _multiply_reorder(a: int, b: int) -> str:
    counted = ", ".join(str(a * times) for times in range(1, b + 1))
    return f"{a} × {b} = {b} × {a}. Count by {a}: {counted}."


def _direct(sign: str, operation: Operation) -> Callable[[int, int], str]:
    return lambda a, b: f"{a} {sign} {b} = {evaluate(operation, a, b)}."


_WORK: dict[tuple[Operation, Style], Callable[[int, int], str]] = {
    ("add", "direct"): _direct("+", "add"),
    ("add", "split"): _add_split,
    ("add", "round"): _add_round,
    ("add", "reorder"): _add_reorder,
    ("subtract", "direct"): _direct("-", "subtract"),
    ("subtract", "split"): _subtract_split,
    ("subtract", "round"): _subtract_round,
    ("subtract", "reorder"): _subtract_reorder,
    ("multiply", "direct"): _direct("×", "multiply"),
    ("multiply", "split"): _multiply_split,
    ("multiply", "round"): _multiply_round,
    ("multiply", "reorder"): _multiply_reorder,
}
