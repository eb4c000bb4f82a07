r"""Answers cut out of a worked solution: behind `####`, in the last `\boxed{}`, or by a pattern."""

import re
from collections.abc import Callable
from typing import Any

import regex

from sage_jax.data.problem import DataError
from sage_jax.data.rows.row import RowError
from sage_jax.rewards.boxes import boxes, unnested
from sage_jax.telling import brief, line

Cut = Callable[[str], str]
"""A solution -> the answer in it, or `RowError`."""

_SECONDS = 5.0  # For one text; a pattern that takes longer would take all day for a table.
_HASHES = regex.compile(r"####[ \t]*(\S[^\n]*)")
_COMMAS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")


def by_pattern(pattern: str) -> Cut:
    r"""How answers are cut out.

    Args:
        pattern: `hashes`, `boxed`, or a regular expression with one group, of which the last match
            in a solution counts.

    Returns:
        A cut, which raises `DataError` of a pattern that tries so many ways that it does not end.

    Raises:
        DataError: it is none of them.

    >>> by_pattern("hashes")("3 * 400 + 34 = 1234\n#### 1,234")
    '1234'
    >>> by_pattern("boxed")(r"so \boxed{1}, no, \boxed{\frac{1}{2}}")
    '\\frac{1}{2}'
    >>> by_pattern("[Aa]nswer: (.*)")("Answer: B")
    'B'
    """
    if pattern in _NAMED:
        return _NAMED[pattern]
    field = f"task.answer_from: {brief(pattern)}"
    meant = "hashes, boxed, or a regular expression with one group, as 'Answer: (.*)'"
    try:
        found = regex.compile(pattern)  # As `re` but for one thing: it can be told to stop.
    except (regex.error, RecursionError, OverflowError) as error:
        raise DataError(f"{field} is no regular expression ({line(error)}); give {meant}") from None
    if found.groups != 1:
        raise DataError(f"{field} has {found.groups} groups; give {meant}")
    return lambda text: _last(found, text, brief(pattern))


def _last(pattern: Any, text: str, told: str) -> str:
    try:
        found = [match.group(1) for match in pattern.finditer(text, timeout=_SECONDS)]
    except TimeoutError:
        raise DataError(
            f"task.answer_from: {told} takes more than {_SECONDS:g} s for a text of {len(text)} "
            "characters: give a pattern that can match in fewer ways, as (a+) instead of (a+)+"
        ) from None
    if not found:
        raise RowError(f"has no match of {told}: {_end(text)}")
    if not (found[-1] or "").strip():
        raise RowError(f"has an empty match of {told}: {_end(text)}")
    return found[-1].strip()


def _hashes(text: str) -> str:
    return _COMMAS.sub("", _last(_HASHES, text, "'#### ANSWER'"))


def _boxed(text: str) -> str:
    found = boxes(text)
    if not found:
        raise RowError(f"has no \\boxed{{}} that closes: {_end(text)}")
    if not found[-1].strip():
        raise RowError(f"has an empty \\boxed{{}}: {_end(text)}")
    return unnested(found[-1].strip())


def _end(text: str) -> str:
    """How a solution ends, where its answer is looked for."""
    return f"it ends in {brief(text[-60:])}"


_NAMED: dict[str, Cut] = {"hashes": _hashes, "boxed": _boxed}
