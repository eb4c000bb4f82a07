"""Plain numbers, read exactly: these are compared as fractions, never as rounded floats."""

import re
from fractions import Fraction

from sage_jax.rewards.tidy import tidy

_SIGN = r"(?P<sign>[+-]?)\s?"
_DECIMAL = re.compile(
    _SIGN + r"(?P<whole>\d{1,3}(?:(?:,\d{3})+|(?: \d{3})+|(?:'\d{3})+)|\d*)(?:\.(?P<part>\d*))?"
    r"(?:[eE](?P<exponent>[+-]?\d{1,3}))?"
)
_REPEATING = re.compile(
    _SIGN + r"(?P<whole>\d*)\.(?P<part>\d*)"
    r"(?:\\(?:overline|bar) ?\{(?P<line>\d+)\}|\((?P<round>\d+)\)"
    r"|(?P<dots>\\dot ?\{\d\}(?:\d*\\dot ?\{\d\})?))"
)
_DOTTED_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:\.\d{3}){2,}")
_POWER = re.compile(
    r"(?:(?P<mantissa>[^^]+?)\s?(?:\\times|\\cdot|\*|x)\s?)?"
    r"(?P<sign>[+-]?)10\s?\^\s?(?:\{(?P<a>[^{}]+)\}|(?P<b>[^{}]+))"
)
_EXPONENT = re.compile(r"[+-]?\d{1,3}")
_FRACTION = re.compile(
    _SIGN + r"(?P<mixed>\d*)\s?\\frac\s?\{(?P<top>[^{}]+)\}\s?\{(?P<bottom>[^{}]+)\}"
)
_MIXED = re.compile(_SIGN + r"(?P<mixed>\d+) (?P<top>\d+)\s?/\s?(?P<bottom>\d+)")


def plain_number(text: str) -> Fraction | None:
    r"""Read a decimal, a fraction, a mixed number or a power of ten exactly; None for all else.

    Understands `1,234.5`, `10,\!080`, `0.\overline{3}`, `0.(3)`, `0.\dot{3}`, `4.5e33`,
    `4.5 \times 10^{33}`, `-1./3`, `\frac{3}{4}`, `1\frac{4}{5}`.

    >>> plain_number("4.5e3"), plain_number(r"-\frac{1}{3}"), plain_number("4 2")
    (Fraction(4500, 1), Fraction(-1, 3), None)
    """
    tidied = tidy(text)
    return None if tidied is None else number_of(tidied)


def number_of(text: str) -> Fraction | None:
    """Read a number as `plain_number` does from text that is already tidied."""
    if text.startswith("(") and text.endswith(")"):
        text = text[1:-1].strip()
    elif text.startswith("-(") and text.endswith(")"):
        inside = number_of(text[2:-1].strip())
        return None if inside is None or text[2:].strip()[0] in "+-" else -inside
    if match := _FRACTION.fullmatch(text) or _MIXED.fullmatch(text):
        return _fraction(match)
    if match := _POWER.fullmatch(text):
        return _power(match)
    if match := _REPEATING.fullmatch(text):
        return _repeating(match)
    if text.count("/") == 1:
        return _quotient(*text.split("/"))
    return _decimal(text)


def is_quotient(text: str) -> bool:
    """Whether a tidied number is written as one number over another, without a whole part."""
    if match := _FRACTION.fullmatch(text.strip("()")):
        return not match["mixed"]
    return "/" in text and _MIXED.fullmatch(text.strip("()")) is None


def _decimal(text: str) -> Fraction | None:
    if _DOTTED_THOUSANDS.fullmatch(text):
        text = text.replace(".", "")
    match = _DECIMAL.fullmatch(text.strip())
    if match is None or not (match["whole"] or match["part"]):
        return None
    whole, part = re.sub(r"[,'\s]", "", match["whole"]), match["part"] or ""
    value = Fraction(int(whole + part), 10 ** len(part)) * _ten_to(match["exponent"] or "0")
    return _signed(value, match)


def _repeating(match: re.Match[str]) -> Fraction:
    whole, part = match["whole"], match["part"]
    again = match["line"] or match["round"] or re.sub(r"\D", "", match["dots"])
    tail = Fraction(int(again), (10 ** len(again) - 1) * 10 ** len(part))
    return _signed(Fraction(int(whole + part or "0"), 10 ** len(part)) + tail, match)


def _signed(value: Fraction, match: re.Match[str]) -> Fraction:
    return -value if match["sign"] == "-" else value


def _ten_to(exponent: str) -> Fraction:
    return Fraction(10) ** int(exponent)


def _power(match: re.Match[str]) -> Fraction | None:
    mantissa = _decimal(match["mantissa"]) if match["mantissa"] else Fraction(1)
    exponent = (match["a"] or match["b"]).strip()
    if mantissa is None or not _EXPONENT.fullmatch(exponent):
        return None
    return _signed(mantissa * _ten_to(exponent), match)


def _fraction(match: re.Match[str]) -> Fraction | None:
    part = _quotient(match["top"], match["bottom"])
    if part is None or (match["mixed"] and not (part >= 0 and match["top"].strip().isdigit())):
        return None
    return _signed(int(match["mixed"] or "0") + part, match)


def _quotient(top: str, bottom: str) -> Fraction | None:
    above, below = _decimal(top), _decimal(bottom)
    return above / below if above is not None and below else None
