r"""Sums and products up to a letter, written out for a small whole number in its place.

Two sums are equal where they are for many n; so \sum_{k=1}^n k is \frac{n(n+1)}{2}. What a term
holds with an index, such as b_i, becomes a letter of its own for each value of the index.

Two sums without end are compared by as many terms, and two integrals by their integrands at three
points: what is summed is not worked out, which could take for ever.
"""

import re
from functools import reduce
from operator import add, mul
from typing import Any

_WHOLE = (1, 2, 3, 5, 6, 8, 9, 11)
_MOST_TERMS = 120
_MOST_NUMBERS = 1_000
_MOST_BITS = 20_000
# Where an integral is looked at, between 0 and 1, and with what weight.
_RULE = ((2, 7, 3, 10), (5, 11, 9, 20), (9, 13, 1, 4))
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
    """Whether there is anything to be written out, integrals included."""
    from sympy import Integral, Product, Sum

    return expression.has(Sum, Product, Integral)


def can_be_evaluated(expression: Any) -> bool:
    """Whether every sum and integral has a value that the library finds soon.

    Of sums those that run over numbers, up to a thousand or, where the ratio of neighbours is
    rational, without end; of integrals those of one letter between two numbers.
    """
    from sympy import Integral, Product, Sum

    return all(map(_is_short, expression.atoms(Sum, Product, Integral)))


def _is_short(one: Any) -> bool:
    from sympy import Integral, Product, oo

    (letter, *ends), *others = one.limits
    if others or len(ends) != 2 or any(end.free_symbols for end in ends):
        return False
    low, high = ends
    if isinstance(one, Integral):
        return not one.free_symbols and oo not in (abs(low), abs(high))
    if high == oo and low.is_Integer and not isinstance(one, Product):
        return bool(one.function.is_hypergeometric(letter))
    return bool(low.is_Integer and high.is_Integer and high - low < _MOST_NUMBERS)


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
    if index == match["index"]:
        return symbol
    index = _SHIFTED.sub(lambda m: f"[{int(m[1]) + int(m[2] + m[3])}]", index)
    whole = re.fullmatch(r"\[(-?\d+)\]", index)
    return Symbol(f"{match['name']}_{whole[1]}" if whole else f"{match['name']}_{{{index}}}")


def _without_sums(expression: Any, cut: int | None, terms: list[int]) -> Any:
    from sympy import Integral, Product, Sum

    if isinstance(expression, Sum | Product):
        return _one_written_out(expression, cut, terms)
    if isinstance(expression, Integral):
        return _at_its_points(expression, cut, terms)
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
    if last >= first and _is_great(term, index, last):
        raise Endless
    parts = [_without_sums(_placed(term, {index: k}), cut, terms) for k in range(first, last + 1)]
    is_sum = isinstance(expression, Sum)
    return reduce(add if is_sum else mul, parts, Integer(0 if is_sum else 1))


def _is_great(term: Any, index: Any, last: int) -> bool:
    """Whether a power in a term is a number too long to be written, as of k^{k^k}."""
    from sympy import Float, Pow

    powers = [power.xreplace({index: Float(last)}) for power in term.atoms(Pow)]
    sizes = [sum(one._mpf_[2:]) for one in powers if one.is_Float and one != 0]
    return any(abs(size) > _MOST_BITS for size in sizes)


def _at_its_points(integral: Any, cut: int | None, terms: list[int]) -> Any:
    r"""Weighted values of the integrand: the same for the same integrand, whatever its letter.

    Of a polynomial the integral itself.
    """
    from sympy import Add, Rational, oo

    *inner, (letter, *ends) = integral.limits
    body = integral.func(integral.function, *inner) if inner else integral.function
    if len(ends) == 2 and body.is_polynomial(letter):
        return integral.doit()
    if len(ends) != 2 or cut is None:
        raise Endless
    low, high = (end.xreplace({oo: Rational(37, 5), -oo: Rational(-41, 7)}) for end in ends)
    places = [(low + (high - low) * Rational(a, b), Rational(c, d)) for a, b, c, d in _RULE]
    values = [weight * body.xreplace({letter: place}) for place, weight in places]
    return Add(*(_without_sums((high - low) * value, cut, terms) for value in values))


def _end(end: Any, cut: int | None) -> int:
    from sympy import oo

    if end in (oo, -oo) and cut is not None:
        return cut if end == oo else -cut
    if not end.is_Integer:
        raise Endless
    return int(end)
