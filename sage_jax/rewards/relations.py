r"""Relations and sets as the intervals they say: 2 < x \le 7, \{x | x > 2\}, x \neq 0.

All of it is spelling: text in, text out.
"""

import itertools
import re

from sage_jax.rewards.names import is_name
from sage_jax.rewards.numbers import number_of

LESS, MORE = {"<", r"\le"}, {">", r"\ge"}
_TURNED = {">": "<", r"\ge": r"\le", "<": ">", r"\le": r"\ge"}
_BUILT = re.compile(
    r"\\\{\s?(?P<name>[A-Za-z])\s?(?:\\in\s?\\mathbb\{R\})?\s?(?:\||:)\s?(?P<condition>[^|{}]*)\\\}"
)
_OUTSIDE = re.compile(
    r"\](?P<inside>[^\[\]()]*[,;][^\[\]()]*)\[|\](?P<left>[^\[\]()]*[,;][^\[\]()]*)\]|\[(?P<right>[^\[\]()]*[,;][^\[\]()]*)\["
)
_REALS = re.compile(r"(?:[A-Za-z]\s?\\in\s?)?\\mathbb\{R\}|\\text\{R\}")
_WITHOUT = re.compile(
    r"(?:[A-Za-z]\s?\\in\s?)?\\mathbb\{R\}\s?(?:\\setminus|-|\\)\s?\\?\{(?P<points>[^{}]*?)\\?\}"
)
_NOT = re.compile(r"(?P<name>[A-Za-z])\s?\\neq\s?(?P<point>.+)")
_BOTH = re.compile(
    r"(?P<a>[^,]*?)\s?(?:\\text\{\s?and\s?\}|(?<![A-Za-z\\])and(?![A-Za-z])|\\land(?![a-z]))\s?"
    r"(?P<b>[^,]*)"
)
_BOUND = re.compile(
    r"(?P<left>[^<>\\]*|-?\\infty)\s?(?P<sign>[<>]|\\[lg]e(?![a-z]))\s?(?P<right>[^<>]*)"
)
_UNION = re.compile(r"(?<=[)\]])\s?U\s?(?=[(\[])")


def as_intervals(text: str) -> str:
    r"""Spell sets of real numbers as intervals; all else stays.

    >>> as_intervals(r"\{x | x > 2\}"), as_intervals(r"]2,5[")
    ('x > 2', '(2,5)')
    >>> as_intervals(r"\mathbb{R}\setminus\{0\}")
    '(-\\infty,0) \\cup (0,\\infty)'
    """
    if match := _BUILT.fullmatch(text):
        return match["condition"].strip()
    if _REALS.fullmatch(text):
        return r"(-\infty,\infty)"
    if match := _WITHOUT.fullmatch(text):
        return _apart(match["points"].split(",")) or text
    if (match := _NOT.fullmatch(text)) and (apart := _apart([match["point"]])):
        return apart
    if match := _BOTH.fullmatch(text):
        return _inside(match["a"], match["b"]) or text
    if text[:1] == "]" or text[-1:] == "[":
        text = _OUTSIDE.sub(_turned_inside, text)
    return _UNION.sub(r" \\cup ", text)


def _turned_inside(match: re.Match[str]) -> str:
    if match["inside"]:
        return f"({match['inside']})"
    return f"({match['left']}]" if match["left"] else f"[{match['right']})"


def _apart(points: list[str]) -> str | None:
    """The real line without some numbers."""
    values = [(number_of(point.strip()), point.strip()) for point in points]
    if any(value is None for value, _ in values):
        return None
    ends = [r"-\infty", *(point for _, point in sorted(values)), r"\infty"]
    return r" \cup ".join(f"({a},{b})" for a, b in itertools.pairwise(ends))


def _inside(one: str, other: str) -> str | None:
    """Both of x > a and x < b, as a < x < b."""
    bounds = [_bound(side) for side in (one, other)]
    if bounds[0] is None or bounds[1] is None or bounds[0][0] != bounds[1][0]:
        return None
    (name, first, low), (_, second, high) = sorted(
        (b for b in bounds if b), key=lambda b: b[1] in LESS
    )
    if first not in MORE or second not in LESS:
        return None
    return f"{low} {_TURNED[first]} {name} {second} {high}"


def _bound(text: str) -> tuple[str, str, str] | None:
    r"""Read x > 3, and 3 < x, as (x, >, 3)."""
    match = _BOUND.fullmatch(text.strip())
    if match is None:
        return None
    left, sign, right = match["left"].strip(), match["sign"], match["right"].strip()
    if is_name(left):
        return left, sign, right
    return (right, _TURNED[sign], left) if is_name(right) else None


def rising(sides: list[str], signs: list[str]) -> tuple[list[str], list[str]]:
    r"""A chain that only falls, turned round; others as they are.

    >>> rising(["3", "x", "1"], [">", r"\ge"])
    (['1', 'x', '3'], ['\\le', '<'])
    """
    if not set(signs) <= MORE:
        return sides, signs
    return sides[::-1], [_TURNED[sign] for sign in signs[::-1]]


def bounds_of(sides: list[str], signs: list[str]) -> tuple[list[str], str] | None:
    r"""The bounds and the brackets of 2 < x \le 7, and of x > 3; None for other relations.

    >>> bounds_of(["2", "x", "7"], ["<", r"\le"]), bounds_of(["x", "3"], [">"])
    ((['2', '7'], '(]'), (['3', '\\infty'], '()'))
    """
    if not set(signs) <= LESS | MORE or not all(sides):
        return None
    sides, signs = rising(sides, signs)
    if set(signs) & MORE:
        return None
    if len(sides) == 3 and is_name(sides[1]):
        bounds = [sides[0], sides[2]]
    elif len(sides) == 2 and is_name(sides[0]) and not is_name(sides[1]):
        bounds, signs = [r"-\infty", sides[1]], ["<", *signs]
    elif len(sides) == 2 and is_name(sides[1]) and not is_name(sides[0]):
        bounds, signs = [sides[0], r"\infty"], [*signs, "<"]
    else:
        return None
    return bounds, ("(" if signs[0] == "<" else "[") + (")" if signs[1] == "<" else "]")
