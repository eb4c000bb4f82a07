r"""Whether two LaTeX expressions are equal in value: the only part that asks the math library.

math-verify's parser reads them; they are then evaluated at a few points to many digits. Equality of
values, not of forms, is the question, and this way it takes milliseconds, where simplifying takes
seconds; nothing is rounded to where unequal values meet.
"""

import re
from fractions import Fraction
from functools import lru_cache
from typing import Any

from sage_jax.rewards.admitting import Unreadable, admit
from sage_jax.rewards.notations import both_as_in
from sage_jax.rewards.numbers import number_of
from sage_jax.rewards.points import OPAQUE, equal_at_points, proportional
from sage_jax.rewards.tidy import squeezed

_EXTRA_DIGITS = 40
_DECIMAL = re.compile(r"(?<![\w.])(\d*)\.(\d+)(?![\w.])")
_SYMMETRIC = re.compile(r"\\(gcd|lcm)\s?(?=\()")  # the parser takes those of letters for 1
_CURRENT = re.compile(r"\\(?:text|math[a-z]+)\s?\{[^{}]*\}|_\s?\{[^{}]*\}|_\s?\w|\\[a-zA-Z]+|I")
_ENERGY = re.compile(r"(?<![\\A-Za-z])E(?=\s?_)")  # with an index it is no power of ten


class UnreadableGold(Exception):
    """A gold answer that can only be matched letter for letter."""


class Library:
    """Compares expressions by their values."""

    def same(self, gold: str, answer: str) -> bool:
        """Whether two expressions are equal in value.

        Raises:
            Unreadable: if the answer cannot be read.
            UnreadableGold: if the gold cannot.
        """
        if squeezed(gold) == squeezed(answer):
            return True
        right, said = _read_both(gold, answer)
        if _is_scalar(right) != _is_scalar(said):
            return False
        if _is_scalar(right):
            return equal_at_points(right, said, digits=_EXTRA_DIGITS + 2 * len(answer))
        return _verify(right, said)

    def same_equation(self, gold: tuple[str, str], answer: tuple[str, str]) -> bool:
        """Whether the differences of the sides are one a constant times the other."""
        right, said = _read_both(*(f"{left} - ( {right} )" for left, right in (gold, answer)))
        if not (_is_scalar(right) and _is_scalar(said)):
            return False
        return proportional(right, said, digits=_EXTRA_DIGITS + 2 * len(answer[0] + answer[1]))


@lru_cache(maxsize=1)
def _library() -> tuple[Any, ...]:
    """Import math-verify and silence its loggers, which print whole completions."""
    import logging

    from latex2sympy2_extended import latex2sympy2, math_normalization
    from math_verify import verify

    for name in ("math_verify", "latex2sympy2_extended"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    # No units: it takes any trailing letter, and any \text{...}, for one.
    spelling = math_normalization.NormalizationConfig(
        basic_latex=True, units=False, malformed_operators=True, nits=False, boxed="none"
    )
    letters = latex2sympy2.ConversionConfig(lowercase_symbols=False)  # r / R is not 1

    class Reader(latex2sympy2._Latex2Sympy):
        def parse_number(self, text: str) -> Any:
            # The library's way hands the digits to sympify, which evaluates them as Python.
            return _rational(Fraction(text.replace(",", "")))

    def read(text: str) -> Any:
        spelt = math_normalization.normalize_latex(text, spelling)
        return Reader(None, True, False, config=letters).parse(spelt)

    return read, verify


def _read_both(gold: str, answer: str) -> tuple[Any, Any]:
    gold, answer = both_as_in(gold, answer)
    admit(gold, answer)
    right = _parsed(gold)
    if right is None:
        raise UnreadableGold
    said = _parsed(answer)
    if said is None:
        raise Unreadable
    return right, said


@lru_cache(maxsize=256)
def _parsed(text: str) -> Any:
    """Parse an expression, None if that fails; golds come up again for each of their group."""
    if (number := number_of(text)) is not None:
        return _rational(number)
    try:
        text = _SYMMETRIC.sub(lambda match: OPAQUE[match[1]], text)
        return _library()[0](_exact(_letters(_ENERGY.sub(r"\\text{E}", text))))
    except MemoryError:
        raise
    except Exception:
        return None


def _letters(text: str) -> str:
    """Mark I as a letter, a current or a moment: the parser takes it, and its square, for i."""
    return _CURRENT.sub(lambda match: r"\text{I}" if match[0] == "I" else match[0], text)


def _rational(number: Fraction) -> Any:
    from sympy import Rational

    return Rational(number.numerator, number.denominator)


def _exact(text: str) -> str:
    """Write decimals as fractions, so that 1.3 is thirteen tenths and not a float."""

    def fraction(match: re.Match[str]) -> str:
        whole, part = match.groups()
        return rf"{{\frac{{{int(whole + part)}}}{{1{'0' * len(part)}}}}}"

    return _DECIMAL.sub(fraction, text)


def _is_scalar(expression: Any) -> bool:
    from sympy import Expr, MatrixBase, MatrixExpr

    return isinstance(expression, Expr) and not isinstance(expression, MatrixBase | MatrixExpr)


def _verify(gold: Any, answer: Any) -> bool:
    # No timeout of the library's: its alarm fails outside the main thread and cannot stop C code.
    return bool(_library()[1](gold, answer, float_rounding=12, timeout_seconds=None))
