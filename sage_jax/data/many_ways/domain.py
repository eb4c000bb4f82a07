"""A domain of problems with many right answers, as one value."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

Facts = Mapping[str, Any]
"""What a problem says, as JSON holds it."""

LEVELS = (1, 2, 3, 4, 5)


class Domain(NamedTuple):
    """How problems are drawn, asked, solved and judged.

    Attributes:
        draw: (generator, level from 1 to 5) -> facts, which need not have an answer.
        ask: facts -> the statement, which says how an answer is written.
        mode: (facts, answer as written) -> the way in which it is right, None where it is wrong.
        answers: facts -> right answers as written, one of each mode.
    """

    draw: Callable[[np.random.Generator, int], Facts]
    ask: Callable[[Facts], str]
    mode: Callable[[Facts, str], str | None]
    answers: Callable[[Facts], Iterator[str]]


def whole_numbers(text: str) -> list[int] | None:
    """Numbers with commas, plus signs or blanks between them; None for any other text.

    >>> whole_numbers("10 + 5, 1"), whole_numbers("10 and 5")
    ([10, 5, 1], None)
    """
    words = text.replace(",", " ").replace("+", " ").split()
    held = all(word.isascii() and word.isdecimal() and len(word) < 10 for word in words)
    return [int(word) for word in words] if words and held else None


def letters(text: str) -> list[str] | None:
    """Single letters with arrows, commas or blanks between them; None for any other text.

    >>> letters("A -> C, B"), letters("A to B")
    (['A', 'C', 'B'], None)
    """
    words = text.replace("->", " ").replace("→", " ").replace(",", " ").upper().split()
    held = all(len(word) == 1 and "A" <= word <= "Z" for word in words)
    return words if words and held else None
