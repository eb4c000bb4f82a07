"""Amounts that are written with words or in two units: 3rd, 2.5 million, 2 h 30 min."""

import re
from fractions import Fraction

_SCALED = re.compile(
    r"(?P<value>.*[\d)}])\s?(?:\\text\{)?\s?(?P<scale>thousand|million|billion|trillion)\b\s?\}?(?P<unit>.*)"
)
_SCALES = {"thousand": 3, "million": 6, "billion": 9, "trillion": 12}
_ORDINAL = re.compile(r"(\d+)\s?\^?\s?\{?\s?(?:\\text\{)?\s?(?:st|nd|rd|th)\s?\}?\s?\}?")
_MINUTES = re.compile(r"(\d+)\s?\^\\circ\s?(\d{1,2})\s?'(?:\s?(\d{1,2})\s?'')?")
_AMOUNTS = re.compile(
    r"(\d+)\s?(?:\\text\{)?\s?(hours?|hrs?|h|feet|foot|ft|pounds?|lbs?|minutes?|min)\b\.?\s?(?:,|and)?\s?\}?\s?"
    r"(?:\\text\{\s?)?(?:,|and)?\s?\}?\s?(\d+)\s?(?:\\text\{)?\s?(minutes?|mins?|m|inches|inch|in|ounces?|oz|seconds?|sec|s)\b\.?\s?\}?"
)
_SPLIT = re.compile(r"\s?(?:,\s?(?:and|or)?\b|\band\b|\bor\b)\s?")
_NAMES = re.compile(r"\(?\s?\\text\{([^{}]*(?:,|\band\b|\bor\b)[^{}]*)\}\s?\)?")


def ordinal(text: str) -> str | None:
    r"""The digits of 3rd, 3^{\text{rd}} and 5^{th}; None for other texts."""
    match = _ORDINAL.fullmatch(text)
    return None if match is None else match[1]


def degrees_and_minutes(text: str) -> Fraction | None:
    r"""Degrees of an angle such as 36^\circ 30' 18''; None for other texts.

    >>> degrees_and_minutes(r"36^\circ 30'")
    Fraction(73, 2)
    """
    match = _MINUTES.fullmatch(text)
    if match is None:
        return None
    degrees, minutes, seconds = (int(part or 0) for part in match.groups())
    return degrees + Fraction(minutes, 60) + Fraction(seconds, 3600)


def scaled(text: str) -> tuple[str, int] | None:
    r"""The amount before a power of ten in words, and that power: 2.5 million, \$3 billion.

    >>> scaled("2.5 million dollars"), scaled("a million million")
    (('2.5 dollars', 1000000), None)
    """
    match = _SCALED.fullmatch(text)
    if match is None or _SCALED.search(match["value"]):
        return None
    return f"{match['value']} {match['unit']}".rstrip(), 10 ** _SCALES[match["scale"]]


def in_two_units(text: str) -> list[str] | None:
    """The parts of 2 hours 30 minutes and of 5 ft 6 in; None for other texts."""
    match = _AMOUNTS.fullmatch(text)
    return None if match is None else [f"{match[1]} {match[2]}", f"{match[3]} {match[4]}"]


def names_in(text: str) -> list[str] | None:
    r"""The words that a text lists: \text{I and III}, \text{Ann, Bob}; None for other texts."""
    match = _NAMES.fullmatch(text)
    members = _SPLIT.split(match[1].strip()) if match else []
    return members if len(members) > 1 and all(map(str.isalpha, members)) else None
