r"""Whether two LaTeX expressions are equal in value: the only part that asks the math library.

math-verify's parser reads them; they are then evaluated at a few points to many digits. Equality of
values, not of forms, is the question, and this way it takes milliseconds, where simplifying takes
seconds; nothing is rounded to where unequal values meet.
"""

import re
from fractions import Fraction
from functools import lru_cache
from typing import Any

from sage_jax.rewards.numbers import number_of
from sage_jax.rewards.tidy import squeezed

_POINTS = 8
_EXTRA_DIGITS = 40
# What an answer may use; everything else only where the gold uses it too. Left out are commands
# that ask for work to be done, such as \sum, \int, \det and \operatorname.
_ALLOWED = """
frac sqrt pi cdot times infty sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh ln log exp
alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi rho
sigma tau upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega hbar
ell prime dot ddot bar hat vec
"""
_COMMANDS = frozenset(_ALLOWED.split())
_COMMAND = re.compile(r"\\([a-zA-Z]+|.)")
_STRANGE = re.compile(r"[^A-Za-z0-9\s+\-*/^_().,{}\[\]|:=\\]")
_RUN = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{3,}")
_FUNCTIONS = {"sin", "cos", "tan", "cot", "sec", "csc", "log", "exp", "sqrt"}
_GREAT_POWER = re.compile(r"\^\s?[{(]?\s?-?[\d.\s]{5,}")
_SIGNS = re.compile(r"(?:[+-]\s?){3}")
_BRACKETS_DEEP, _POWERS_DEEP = 8, 1
_TOKEN = re.compile(r"\\[a-zA-Z]+|\\.|\S")
_RAISING = frozenset({"^", r"\exp", r"\sinh", r"\cosh"})
_DECIMAL = re.compile(r"(?<![\w.])(\d*)\.(\d+)(?![\w.])")
_ENERGY = re.compile(r"(?<![\\A-Za-z])E(?=\s?_)")  # with an index it is no power of ten
_INDEX_TEXT = re.compile(r"\\text\{\s?([A-Za-z]*)\s?\}")


class Unreadable(Exception):
    """An answer that is not mathematics, or asks for more work than an answer should."""


class UnreadableGold(Exception):
    """A gold answer that can only be matched letter for letter."""


def admit(gold: str, answer: str) -> None:
    r"""Refuse an expression before it is parsed.

    It may use letters, numbers, roots, powers and elementary functions, and otherwise only what
    the gold uses: sums, integrals, factorials, `\operatorname` and code are none of an answer's.

    Raises:
      Unreadable: if it holds anything else, a tower of powers or a very great one.

    >>> admit("x+1", r"1+\frac{2x}{2}")
    """
    for pattern in (_STRANGE, _GREAT_POWER, _SIGNS):
        if pattern.search(answer) and not pattern.search(gold):
            raise Unreadable
    if any(has > max(may, most) for has, may, most in zip(
        _depths(answer), _depths(gold), (_BRACKETS_DEEP, _POWERS_DEEP), strict=True
    )):  # fmt: skip
        raise Unreadable
    if _STRANGE.search(gold) and set(_STRANGE.findall(answer)) - set(_STRANGE.findall(gold)):
        raise Unreadable
    if set(_COMMAND.findall(answer)) - _COMMANDS - set(_COMMAND.findall(gold)):
        raise Unreadable
    words = set(_RUN.findall(answer)) - _FUNCTIONS
    if not set("".join(words)) <= set(gold):  # xyz may be a product of the gold's letters
        raise Unreadable


def _depths(text: str) -> tuple[int, int]:
    r"""How deep brackets and powers stand in each other: 9^{9^{9}} has powers 2 deep."""
    open_powers: list[bool] = []
    brackets = powers = 0
    token, before, bare_power = "", "", False
    for following in [*_TOKEN.findall(text), ""]:
        before, token = token, following
        if token in {"(", "[", "{", "|"}:
            open_powers.append(before in _RAISING)
        elif token in {")", "]", "}"} and open_powers:
            open_powers.pop()
        elif token in _RAISING:
            # 9^9^9: the power before has no brackets and is not closed yet
            chained = before not in {")", "]", "}", ""} and bare_power
            powers = max(powers, sum(open_powers) + 1 + chained)
        bare_power = before in _RAISING and token not in {"(", "[", "{"}
        brackets = max(brackets, len(open_powers))
    return brackets, powers


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
            return _equal_at_points(right, said, digits=_EXTRA_DIGITS + 2 * len(answer))
        return _verify(right, said)

    def same_equation(self, gold: tuple[str, str], answer: tuple[str, str]) -> bool:
        """Whether the differences of the sides are one a constant times the other."""
        right, said = _read_both(*(f"{left} - ( {right} )" for left, right in (gold, answer)))
        if not (_is_scalar(right) and _is_scalar(said)):
            return False
        return _proportional(right, said, digits=_EXTRA_DIGITS + 2 * len(answer[0] + answer[1]))


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
    gold, answer = (_INDEX_TEXT.sub(r"{\1}", text) for text in (gold, answer))
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
        return _library()[0](_exact(_ENERGY.sub(r"\\text{E}", text)))
    except MemoryError:
        raise
    except Exception:
        return None


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


def _equal_at_points(gold: Any, answer: Any, *, digits: int) -> bool:
    with _digits(digits):
        pairs = _values(gold, answer, digits)
        return bool(pairs) and all(_close(one, other, digits) for one, other in pairs)


def _proportional(gold: Any, answer: Any, *, digits: int) -> bool:
    with _digits(digits):
        pairs = _values(gold, answer, digits)
        if not pairs or any(one == 0 or other == 0 for one, other in pairs):
            return False
        first = pairs[0][0] / pairs[0][1]
        return all(_close(one, first * other, digits) for one, other in pairs)


def _digits(digits: int) -> Any:
    import mpmath

    return mpmath.workdps(digits)


def _close(one: Any, other: Any, digits: int) -> bool:
    if one == 0:
        return abs(other) <= _ten_to(-digits)
    return abs(one - other) <= max(abs(one), abs(other)) * _ten_to(10 - digits)


def _ten_to(exponent: int) -> Any:
    from mpmath import mpf

    return mpf(10) ** exponent


def _values(gold: Any, answer: Any, digits: int) -> list[tuple[Any, Any]]:
    """Values of both at points where the gold has one; real ones alone, if there are enough.

    At the others a root may be taken on another branch, which is no error of the answer.
    """
    import mpmath

    gold, answer = _opaque(gold), _opaque(answer)
    names = sorted({str(symbol) for e in (gold, answer) for symbol in e.free_symbols})
    pairs = []
    for point in range(_POINTS if set(names) - {"i"} else 1):
        places = {name: _place(name, index, point) for index, name in enumerate(names)}
        one, other = (_value(e, places, digits) for e in (gold, answer))
        if one is not None:
            pairs.append((one, other if other is not None else mpmath.mpf("nan")))
        real = [pair for pair in pairs if mpmath.im(pair[0]) == 0]
    return real if len(real) >= _POINTS // 2 else pairs


def _place(name: str, index: int, point: int) -> Any:
    """A fixed number for a letter: positive ones first, then both signs; i is i."""
    from sympy import I, Rational

    if name == "i":
        return I
    size = Rational(1009 + 7919 * (index + 1) * (point + 3) % 3001, 1511)
    negative = point >= _POINTS // 2 and (index + point) % 2 == 0
    return -size if negative else size


def _value(expression: Any, places: dict[str, Any], digits: int) -> Any:
    """The value at a point, None where there is none."""
    import mpmath

    here = {symbol: places[str(symbol)] for symbol in expression.free_symbols}
    try:
        number = expression.evalf(digits, subs=here, maxn=4 * digits)
        real, imaginary = number.as_real_imag()
        value = mpmath.mpc(mpmath.mpf(real), mpmath.mpf(imaginary))
    except MemoryError:
        raise
    except Exception:
        return None
    return value if mpmath.isfinite(value) else None


def _opaque(expression: Any) -> Any:
    """Put letters for what has no value of its own: functions and derivatives without a rule."""
    from sympy import Derivative, Symbol
    from sympy.core.function import AppliedUndef

    unknown = expression.atoms(AppliedUndef) | expression.atoms(Derivative)
    return expression.xreplace({one: Symbol(str(one)) for one in unknown})
