"""Values of expressions at a few points, to many digits: equal values make equal expressions."""

from typing import Any

from sage_jax.rewards.sums import can_be_evaluated, has_sums, limits_in, written_out

_POINTS = 8
OPAQUE = {"gcd": r"\mathcal{G}", "lcm": r"\mathcal{L}"}
"""How functions without a value for letters are handed to the parser."""


def equal_at_points(gold: Any, answer: Any, *, digits: int) -> bool:
    """Whether two expressions have one value wherever the first has one."""
    with _digits(digits):
        pairs = _values(gold, answer, digits)
        return bool(pairs) and all(_close(one, other, digits) for one, other in pairs)


def proportional(gold: Any, answer: Any, *, digits: int) -> bool:
    """Whether one expression is the other times a constant that is not zero."""
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

    pairs, before = [], (gold, answer)
    for point in range(_POINTS):
        here = _at(gold, answer, point)
        if here is None:
            continue
        one, other = (_opaque(expression) for expression in here)
        names = sorted({str(symbol) for e in (one, other) for symbol in e.free_symbols})
        places = {name: _place(name, index, point) for index, name in enumerate(names)}
        value, said = (_value(e, places, digits) for e in (one, other))
        if value is not None:
            pairs.append((value, said if said is not None else mpmath.mpf("nan")))
        if not set(names) - {"i"} and here == before:
            break
        before = here
    real = [pair for pair in pairs if mpmath.im(pair[0]) == 0]
    return real if len(real) >= _POINTS // 2 else pairs


def _at(gold: Any, answer: Any, point: int) -> tuple[Any, Any] | None:
    """Both without sums up to a letter, which stands for a whole number at each point."""
    summed = [has_sums(expression) for expression in (gold, answer)]
    if not any(summed):
        return gold, answer
    if not all(summed) and can_be_evaluated(gold) and can_be_evaluated(answer):
        return gold, answer
    letters = sorted(limits_in(gold) | limits_in(answer), key=str)
    try:
        one, other = (written_out(e, letters, point, endless=all(summed)) for e in (gold, answer))
    except MemoryError:
        raise
    except Exception:  # Endless, and what the library does not know how to put in
        return None
    return one, other


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
    from sympy import Derivative, Limit, Symbol
    from sympy.core.function import AppliedUndef

    unknown = expression.atoms(AppliedUndef) | expression.atoms(Derivative, Limit)
    return expression.xreplace({one: Symbol(_spelling(one)) for one in unknown})


def _spelling(unknown: Any) -> str:
    r"""A name for an unknown value; the greatest common divisor asks for no order."""
    name = str(unknown.func)
    if name not in OPAQUE.values():
        return str(unknown.doit(deep=True) if unknown.is_Function else unknown)
    return f"{name}({sorted(map(str, unknown.args))})"
