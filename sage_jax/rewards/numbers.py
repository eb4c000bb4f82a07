"""Plain numbers, read exactly: these are compared as fractions, never as rounded floats."""

import re
from fractions import Fraction

_DECIMAL = re.compile(
    r"(?P<sign>[+-]?)(?P<whole>\d{1,3}(?:,\d{3})+|\d*)(?:\.(?P<part>\d*))?"
    r"(?:[eE](?P<exponent>[+-]?\d{1,3}))?"
)
_POWER = re.compile(r"(?P<mantissa>.+?)(?:\\times|\\cdot|×|·|\*)10\^(?:\{(?P<a>.+)\}|(?P<b>.+))")
_EXPONENT = re.compile(r"[+-]?\d{1,3}")
_FRACTION = re.compile(
    r"(?P<sign>[+-]?)\\[dt]?frac\{(?P<top>[^{}]+)\}\{(?P<bottom>[^{}]+)\}", re.DOTALL
)


def plain_number(text: str) -> Fraction | None:
    r"""Read a decimal, a fraction or a power of ten exactly; None for anything else.

    Understands `1,234.5`, `10,\!080`, `4.5e33`, `4.5 \times 10^{33}`, `-1./3`, `\frac{3}{4}`.

    >>> plain_number("4.5e3"), plain_number(r"-\frac{1}{3}"), plain_number("4 2")
    (Fraction(4500, 1), Fraction(-1, 3), None)
    """
    text = _tidy(text)
    if match := _POWER.fullmatch(text):
        return _power(match)
    if match := _FRACTION.fullmatch(text):
        quotient = _quotient(match["top"], match["bottom"])
        return -quotient if quotient is not None and match["sign"] == "-" else quotient
    if text.count("/") == 1:
        return _quotient(*text.split("/"))
    return _decimal(text)


def _tidy(text: str) -> str:
    text = text.strip().replace("−", "-").replace("{,}", ",")
    text = re.sub(r"\\!\s*", "", text)
    text = re.sub(r"(?<=\d)\\[,; ](?=\d{3}(?!\d))", ",", text)
    return re.sub(r"\s*(\\times|\\cdot|[×·*/^])\s*", r"\1", text)


def _decimal(text: str) -> Fraction | None:
    match = _DECIMAL.fullmatch(text.strip())
    if match is None or not (match["whole"] or match["part"]):
        return None
    whole, part = match["whole"].replace(",", ""), match["part"] or ""
    value = Fraction(int(whole + part), 10 ** len(part)) * _ten_to(match["exponent"] or "0")
    return -value if match["sign"] == "-" else value


def _ten_to(exponent: str) -> Fraction:
    return Fraction(10) ** int(exponent)


def _power(match: re.Match[str]) -> Fraction | None:
    mantissa, exponent = _decimal(match["mantissa"]), match["a"] or match["b"]
    if mantissa is None or not _EXPONENT.fullmatch(exponent):
        return None
    return mantissa * _ten_to(exponent)


def _quotient(top: str, bottom: str) -> Fraction | None:
    above, below = _decimal(top), _decimal(bottom)
    return above / below if above is not None and below else None
