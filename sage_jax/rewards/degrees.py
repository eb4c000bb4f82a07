r"""Degrees inside an expression belong to the angle before them: 35^\circ is 35 \pi / 180."""

import re

_ANGLE = re.compile(
    r"(?P<angle>\d+(?:\.\d+)?\s?(?:[a-zA-Z](?![a-zA-Z])|\\(?:alpha|beta|gamma|theta|phi|omega))?"
    r"|\\frac\s?\{[^{}]*\}\{[^{}]*\}|\([^()]*\)|\{[^{}]*\}"
    r"|\\(?:alpha|beta|gamma|delta|theta|phi|varphi|omega|psi)|[a-zA-Z])"
    r"\s?(?:\^\\circ(?!\s?[CFK])|(?:\\text\{\s?)?\bdeg(?:rees?)?(?![a-zA-Z])\s?\}?)\s?"
)
_FUNCTION = re.compile(r"\\(?:arc)?(?:sin|cos|tan|cot|sec|csc)(?![a-zA-Z])|\\cis")
_SUM = re.compile(r"(?<=[^\s({\[])\s?[+-]")


def in_radians(text: str) -> str:
    r"""Put \frac{35 \pi}{180} for 35^\circ, wherever it stands.

    >>> in_radians(r"\cos 35^\circ")
    '\\cos (\\frac{35\\pi }{180})'
    """
    return _ANGLE.sub(lambda match: rf"(\frac{{{match['angle']}\pi }}{{180}})", text)


def are_a_unit(value: str) -> bool:
    r"""Whether the degrees behind a value name its unit, and not the angle of its last term.

    >>> [are_a_unit(value) for value in ("35", "2x", "(180-2x)", r"\beta+40", r"\cos 35")]
    [True, True, True, False, False]
    """
    outside = re.sub(r"\([^()]*\)|\{[^{}]*\}", "", value)
    return not (_FUNCTION.search(value) or _SUM.search(outside))


def are_in_degrees(text: str) -> bool:
    """Whether an expression with degrees is an angle itself, no function of one."""
    return not _FUNCTION.search(text)
