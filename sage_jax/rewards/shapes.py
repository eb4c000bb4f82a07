r"""Shapes told by a pattern: numbers of a base, residues, ratios, times of day, matrices."""

import math
import re
from fractions import Fraction

from sage_jax.rewards.numbers import number_of

_BASED = re.compile(
    r"(?:\((?P<round>[0-9A-Z]+)\)|\\text\{\s?(?P<text>[0-9A-Z]+)\s?\}|(?P<digits>[0-9A-Za-z]+))\s?"
    r"(?:_\s?(?P<base>\w+|\{[^{}]*(?:\{[^{}]*\})?[^{}]*\})"
    r"|(?:\\text\{)?\s?(?:in )?base\s?(?:\\text\{)?\s?\}?\s?(?P<word>\w+)\s?\}?)"
)
_NAMED_BASES = {
    "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "sixteen": 16,
}  # fmt: skip
_RESIDUE = re.compile(
    r"(?P<name>[A-Za-z]\s?\\equiv\s?)?(?P<value>-?\d+)\s?"
    r"(?P<mod>\\pmod|\\bmod|\\mod|\(\s?(?:\\b?mod(?![a-z])|\\text\{\s?mod\s?\}|mod(?![a-z])))"
    r"\s?\{?\s?(?P<modulus>\d+)\s?[})]*"
)
_RATIO = re.compile(r"[^:]+(?:\s?:\s?[^:]+)+")
_TO = re.compile(r"(?P<a>\d+)\s?(?:\\text\{\s?)?\b(?:to|out of|in)\b\s?\}?\s?(?P<b>\d+)")
_TIME = re.compile(
    r"(?P<hour>\d{1,2})(?::(?P<minute>[0-5]\d))?\s?(?:\\text\{\s?)?(?P<half>[aApP]\.?\s?[mM]\.?)?\s?\}?"
)
_MATRIX = re.compile(
    r"(?P<factor>[^()\[\]&]*?)(?:\\cdot|\\times|\*)?\s?[(\[]?\s?"
    r"\\begin\{(?P<kind>(?:small)?[pbB]?matrix|array)\}(?:\{[clr|\s]*\})?(?P<rows>.*)"
    r"\\end\{(?P=kind)\}\s?[)\]]?",
    re.DOTALL,
)
_CASES = re.compile(r"\\begin\{cases\}(?P<rows>.*)\\end\{cases\}", re.DOTALL)
_CONDITION = re.compile(
    r"\\text\{\s?(?:,\s?)?(?:if|for|when|where|otherwise|else)?\s?\}|(?<![A-Za-z\\])(?:if|for|when)\b"
)


def based(text: str) -> tuple[str, int] | None:
    r"""Read a number of a base as its digits and the base.

    >>> based("52_8"), based(r"(1011)_{\text{two}}"), based("x_1")
    (('52', 8), ('1011', 2), None)
    """
    match = _BASED.fullmatch(text)
    if match is None:
        return None
    digits = match["round"] or match["text"] or match["digits"]
    word = re.sub(r"\\text|[{}()\s]", "", match["base"] or match["word"])
    base = int(word) if word.isdecimal() else _NAMED_BASES.get(word.casefold())
    if base is None or not (digits[0].isdigit() or (digits.isupper() and _fits(digits, base))):
        return None
    return digits.casefold(), base


def _fits(digits: str, base: int) -> bool:
    """Whether a number that starts with a letter, AB, is one of base 16 rather than a name."""
    return base in (11, 12, 16, 36) and len(digits) > 1 and all(int(c, 36) < base for c in digits)


def residue(text: str) -> tuple[int, int] | None:
    r"""Read 3 \pmod 7, and x \equiv 3 \pmod 7, as (3, 7).

    >>> residue(r"x \equiv 3 \pmod{7}"), residue("3 (mod 7)"), residue("3")
    ((3, 7), (3, 7), None)
    """
    match = _RESIDUE.fullmatch(text)
    if match is None or not int(match["modulus"]):
        return None
    left_to_do = match["mod"] in (r"\bmod", r"\mod") and not match["name"]  # what is 42 mod 5?
    return None if left_to_do else (int(match["value"]), int(match["modulus"]))


def ratio(text: str) -> tuple[Fraction, ...] | None:
    """Read 3:4, 3 to 4, 3 out of 4 and 1:2:3, divided by the first that is not zero.

    >>> ratio("6:8") == ratio("3 to 4"), ratio("3:4:5") == ratio("3:4")
    (True, False)
    """
    if match := _TO.fullmatch(text):
        parts = [match["a"], match["b"]]
    elif _RATIO.fullmatch(text):
        parts = text.split(":")
    else:
        return None
    values = [number_of(part.strip()) for part in parts]
    first = values[0]
    if not first or any(value is None for value in values):
        return None
    return tuple(value / first for value in values if value is not None)


def time_of_day(text: str, *, sure: bool = True) -> tuple[int, str | None] | None:
    r"""Read 3:45 p.m., and 10:30, as minutes after the last noon or midnight and the half.

    Without a half of the day, and to be sure, only what is no ratio in lowest terms: 10:30 and
    7:05, but not 1:30.

    >>> time_of_day(r"3:45\text{ PM}"), time_of_day("15:45"), time_of_day("3:4")
    ((225, 'p'), (225, 'p'), None)
    """
    match = _TIME.fullmatch(text)
    if match is None or not (match["half"] or match["minute"]):
        return None
    hour, minute = int(match["hour"]), int(match["minute"] or 0)
    half = match["half"][0].casefold() if match["half"] else "p" if 12 < hour < 24 else None
    if hour > 23 or (match["half"] and not 0 < hour < 13):
        return None
    in_lowest_terms = math.gcd(hour, minute) == 1 and not (match["minute"] or "").startswith("0")
    if not match["half"] and (not match["minute"] or (sure and in_lowest_terms)):
        return None
    return hour % 12 * 60 + minute, half


def matrix(text: str) -> tuple[str, list[list[str]]] | None:
    r"""Read a matrix as its factor ("" for none) and its cells.

    >>> matrix(r"\frac{1}{2}\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}")
    ('\\frac{1}{2}', [['1', '2'], ['3', '4']])
    """
    match = _MATRIX.fullmatch(text)
    return None if match is None else (match["factor"].strip(), _cells(match["rows"]))


def cases(text: str) -> list[list[str]] | None:
    r"""Read a function by cases as rows of value and condition, and a system as rows of one.

    >>> cases(r"\begin{cases} x, & \text{if } x > 0 \\ 0, & x \le 0. \end{cases}")
    [['x', 'x > 0'], ['0', 'x \\le 0']]
    """
    match = _CASES.fullmatch(text)
    if match is None:
        return None
    rows = _cells(_CONDITION.sub(" ", match["rows"]))
    return [[cell.strip(" ,.;") for cell in row] for row in rows]


def _cells(rows: str) -> list[list[str]]:
    lines = re.split(r"\\\\", rows.strip().removesuffix(r"\\"))
    return [[cell.strip() for cell in line.split("&")] for line in lines if line.strip()]
