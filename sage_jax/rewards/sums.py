r"""Sums and products up to a letter, written out for a small whole number in its place.

Two sums are equal where they are for many n; so \sum_{k=1}^n k is \frac{n(n+1)}{2}. What a term
holds with an index, such as b_i, becomes a letter of its own for each value of the index.
"""

import re
from functools import reduce
from operator import add, mul
from typing import Any

_WHOLE = (1, 2, 3, 5, 6, 8, 9, 11)
_MOST_TERMS = 300
_INDEXED = re.compile(r"(?P<name>[^_]+)_\{?(?P<index>[^{}]+)\}?")
_SHIFTED = re.compile(r"\[(-?\d+)\]\s?([+-])\s?(\d+)")


class Endless(Exception):
    """A sum that has no end, or too many terms to be written out."""


def limits_in(expression: Any) -> set[Any]:
    """Letters that sums and products of an expression run to (or from)."""
    from sympy import Product, Sum

    found: set[Any] = set()
    for one in expression.atoms(Sum, Product):
        inner = {variable for variable, *_ in one.limits}
        found |= {s for _, *ends in one.limits for end in ends for s in end.free_symbols} - inner
    return found


def has_sums(expression: Any) -> bool:
    """Whether there is anything to be written out."""
    from sympy import Product, Sum

    return expression.has(Sum, Product)


def written_out(expression: Any, letters: list[Any], point: int, *, endless: bool) -> Any:
    """The expression with whole numbers for the letters and no sum or product left.

    Args:
      expression: of sympy.
      letters: those that stand for whole numbers; the later, the larger.
      point: which of the numbers to take, from 0 to 7.
      endless: whether a sum to infinity is cut at such a number, to be compared with another one.

    Raises:
      Endless: if it has too many terms, or no end and may not be cut.
    """
    places = {letter: _WHOLE[point] + 2 * index for index, letter in enumerate(letters)}
    cut = _WHOLE[point] + 2 * len(letters) if endless else None
    return _without_sums(_placed(expression, places), cut, [0])


def _placed(expression: Any, places: dict[Any, int]) -> Any:
    """Put numbers for letters, in indices as well."""
    from sympy import Integer

    renamed = {symbol: _reindexed(symbol, places) for symbol in expression.free_symbols}
    whole = {letter: Integer(number) for letter, number in places.items()}
    return expression.xreplace({**renamed, **whole})


def _reindexed(symbol: Any, places: dict[Any, int]) -> Any:
    from sympy import Symbol

    match = _INDEXED.fullmatch(str(symbol))
    if match is None:
        return symbol
    index = match["index"]
    letters = {str(letter): f"[{number}]" for letter, number in places.items()}
    index = re.sub(r"\\?[a-zA-Z]", lambda letter: letters.get(letter[0], letter[0]), index)
    index = _SHIFTED.sub(lambda m: f"[{int(m[1]) + int(m[2] + m[3])}]", index)
    whole = re.fullmatch(r"\[(-?\d+)\]", index)
    return Symbol(f"{match['name']}_{whole[1]}" if whole else f"{match['name']}_{{{index}}}")


def _without_sums(expression: Any, cut: int | None, terms: list[int]) -> Any:
    from sympy import Product, Sum

    if isinstance(expression, Sum | Product):
        return _one_written_out(expression, cut, terms)
    if not has_sums(expression):
        return expression
    return expression.func(*(_without_sums(part, cut, terms) for part in expression.args))


def _one_written_out(expression: Any, cut: int | None, terms: list[int]) -> Any:
    from sympy import Integer, Sum

    *inner, (index, first, last) = expression.limits
    first, last = (_end(_without_sums(end, cut, terms), cut) for end in (first, last))
    terms[0] += max(0, last - first + 1)
    if terms[0] > _MOST_TERMS or last < first - 1:
        raise Endless
    term = expression.func(expression.function, *inner) if inner else expression.function
    parts = [_without_sums(_placed(term, {index: k}), cut, terms) for k in range(first, last + 1)]
    is_sum = isinstance(expression, Sum)
    return reduce(add if is_sum else mul, parts, Integer(0 if is_sum else 1))


def _end(end: Any, cut: int | None) -> int:
    from sympy import oo

    if end == oo and cut is not None:
        return cut
    if not end.is_Integer:
        raise Endless
    return int(end)
