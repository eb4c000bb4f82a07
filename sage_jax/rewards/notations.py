"""Notations of one meaning that can only be told apart by what the gold writes."""

import re

from sage_jax.rewards.degrees import in_radians
from sage_jax.rewards.plain_text import PLAIN_LOG, read_as_in

_INDEX_TEXT = re.compile(r"\\text\{\s?([A-Za-z]*)\s?\}")
_ARROW = re.compile(r"\\vec\s?\{([A-Za-z])\}|\\hat\s?\{([ijk])\}|\\text\{\s?([A-Za-z])\s?\}")
_ARGUMENT = r"\{?\s?([a-z0-9]+)\s?\}?"
_COMBINATIONS = (
    (re.compile(r"(?<![A-Za-z\\])C\s?\(([^(),]+),([^(),]+)\)"), (1, 2)),
    (re.compile(rf"\{{?\s?\}}?\s?[\^_]{_ARGUMENT}\s?C\s?_{_ARGUMENT}"), (1, 2)),
    (re.compile(rf"(?<![A-Za-z\\])C\s?_{_ARGUMENT}\s?\^{_ARGUMENT}"), (1, 2)),
    (re.compile(rf"(?<![A-Za-z\\])C\s?\^{_ARGUMENT}\s?_{_ARGUMENT}"), (2, 1)),
)
_CONSTANT = re.compile(r"\+\s?(?:([cCkKA])|\\text\{\s?(?:[cC]|const(?:ant)?\.?)\s?\})$")
_COMMAND = re.compile(r"\\[a-zA-Z]+")
_CIS = re.compile(
    r"\\cis\s*(?:\((?P<a>[^()]*(?:\([^()]*\)[^()]*)*)\)|(?P<b>\\frac\{[^{}]*\}\{[^{}]*\}|[\w.]+))"
)


def both_as_in(gold: str, answer: str) -> tuple[str, str]:
    r"""Spell a gold and an answer alike where they write one thing in two ways.

    >>> both_as_in(r"\binom{n}{k}", "C(n,k)"), both_as_in(r"\vec{a}", r"\text{a}")
    (('\\binom{n}{k}', '\\binom{n}{k}'), ('{a}', '{a}'))
    """
    gold, answer = (_CIS.sub(_exponential, in_radians(text)) for text in (gold, answer))
    gold = gold.replace(PLAIN_LOG, r"\ln ")
    answer = read_as_in(gold, answer)
    if r"\binom" in gold and "C" not in gold:
        for pattern, (above, below) in _COMBINATIONS:
            answer = pattern.sub(rf"\\binom{{\g<{above}>}}{{\g<{below}>}}", answer)
    answer = _with_constant(gold, answer)
    gold, answer = _without_arrows(gold, answer)
    return _INDEX_TEXT.sub(r"{\1}", gold), _INDEX_TEXT.sub(r"{\1}", answer)


def _exponential(match: re.Match[str]) -> str:
    return rf"e^{{i({match['a'] or match['b']})}}"


def _with_constant(gold: str, answer: str) -> str:
    """Give a constant of integration, + c or + K, the gold's name; it stands nowhere else."""
    one, other = _CONSTANT.search(gold), _CONSTANT.search(answer)
    if "C_" in gold and "c_" not in gold and "C_" not in answer:
        return answer.replace("c_", "C_")
    if not one or not other or one[1] != "C":
        return answer
    body, letter = answer[: other.start()], other[1] or "C"
    used = set(_COMMAND.sub("", body + gold[: one.start()]))
    return answer if used & {letter, "C"} else f"{body}+ C"


def _without_arrows(gold: str, answer: str) -> tuple[str, str]:
    r"""Write \vec{a} and a bold a as a where both texts mark the same letters, in whichever way."""
    marked = [{a or b or c for a, b, c in _ARROW.findall(text)} for text in (gold, answer)]
    if marked[0] != marked[1] or not marked[0]:
        return gold, answer
    bare = [_ARROW.sub(lambda m: f"{{{m[1] or m[2] or m[3]}}}", text) for text in (gold, answer)]
    return bare[0], bare[1]
