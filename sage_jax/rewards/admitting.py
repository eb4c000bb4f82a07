"""What an expression may hold before it is parsed: nothing that asks for too much work."""

import re

from sage_jax.rewards.names import GREEK

# What an answer may use; everything else only where the gold uses it too. Left out are commands
# that ask for work to be done, such as \sum, \int, \det and \operatorname.
_ALLOWED = """
frac sqrt pi cdot times infty sin cos tan cot sec csc arcsin arccos arctan arccot arsinh arcosh
artanh sinh cosh tanh ln log exp hbar prime dot ddot bar hat vec
"""
_COMMANDS = GREEK | set(_ALLOWED.split())
_COMMAND = re.compile(r"\\([a-zA-Z]+|.)")
_STRANGE = re.compile(r"[^A-Za-z0-9\s+\-*/^_().,{}\[\]|:=\\]")
_RUN = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{3,}")
_FUNCTIONS = {"sin", "cos", "tan", "cot", "sec", "csc", "log", "exp", "sqrt"}
_GREAT_POWER = re.compile(r"\^\s?[{(]?\s?-?[\d.\s]{5,}")
_GREAT_FACTORIAL = re.compile(
    r"(?:\d{4,}[a-zA-Z]*|\([^()]*\^[^()]*|\^\{?\s?\d+\s?\}?)\)?\s?!|!\s?\)?\s?!"
)
_FACTORIAL = re.compile(r"(?:(?<![A-Za-z\\])[a-z]|\([^()!^]{1,12}\))\s?!(?!\s?\)?\s?!)")
_BINOMIAL = re.compile(r"\\binom\s?\{[^{}!\\^]{0,8}[a-z][^{}!\\^]{0,8}\}\s?\{[^{}!\\^]{1,8}\}")
_SIGNS = re.compile(r"(?:[+-]\s?){3}")
_BRACKETS_DEEP, _POWERS_DEEP = 8, 1
_TOKEN = re.compile(r"\\[a-zA-Z]+|\\.|\S")
_RAISING = frozenset({"^", r"\exp", r"\sinh", r"\cosh"})


class Unreadable(Exception):
    """An answer that is not mathematics, or asks for more work than an answer should."""


def admit(gold: str, answer: str) -> None:
    r"""Refuse an expression before it is parsed.

    It may use letters, numbers, roots, powers and elementary functions, and otherwise only what
    the gold uses: sums, integrals, factorials, `\operatorname` and code are none of an answer's.

    Raises:
        Unreadable: if it holds anything else, a tower of powers or a very great one.

    >>> admit("x+1", r"1+\frac{2x}{2}")
    """
    if _GREAT_FACTORIAL.search(answer) and not _GREAT_FACTORIAL.search(gold):
        raise Unreadable
    answer = _counting(gold, answer)
    for pattern in (_STRANGE, _GREAT_POWER, _SIGNS):
        if pattern.search(answer) and not pattern.search(gold):
            raise Unreadable
    if any(
        has > max(may, most)
        for has, may, most in zip(
            _depths(answer), _depths(gold), (_BRACKETS_DEEP, _POWERS_DEEP), strict=True
        )
    ):
        raise Unreadable
    if _STRANGE.search(gold) and set(_STRANGE.findall(answer)) - set(_STRANGE.findall(gold)):
        raise Unreadable
    if set(_COMMAND.findall(answer)) - _COMMANDS - set(_COMMAND.findall(gold)):
        raise Unreadable
    words = set(_RUN.findall(answer)) - _FUNCTIONS
    if not set("".join(words)) <= set(gold):  # xyz may be a product of the gold's letters
        raise Unreadable


def _counting(gold: str, answer: str) -> str:
    r"""The answer without the n! and \binom{n}{k} that it may use: of letters, not in each other.

    A binomial stands for a polynomial, too; n! only where the gold multiplies up or counts.
    """
    if re.search(r"\\(?:binom|prod|sum)(?![a-z])|!", gold):
        answer = _FACTORIAL.sub("n", answer)
    return _BINOMIAL.sub("n", answer) if re.search("[a-z]", gold) else answer


def _depths(text: str) -> tuple[int, int]:
    r"""How deep brackets and powers stand in each other: 9^{9^{9}} has powers 2 deep."""
    open_powers: list[bool] = []
    brackets = powers = 0
    token, before, bare_power = "", "", False
    for following in [*_TOKEN.findall(text), ""]:
        before, token = token, following
        if token in {"(", "[", "{", "|"}:
            open_powers.append(before in _RAISING)
        elif token in {")", "]", "}"} and open_powers:
            open_powers.pop()
        elif token in _RAISING:
            # 9^9^9: the power before has no brackets and is not closed yet
            chained = before not in {")", "]", "}", ""} and bare_power
            powers = max(powers, sum(open_powers) + 1 + chained)
        bare_power = before in _RAISING and token not in {"(", "[", "{"}
        brackets = max(brackets, len(open_powers))
    return brackets, powers
