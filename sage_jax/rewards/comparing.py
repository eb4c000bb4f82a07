"""Whether an answer, as it was read, is the gold one: shapes here, expressions by the library."""

import re
from collections.abc import Callable
from typing import Protocol

from sage_jax.rewards.numbers import is_quotient
from sage_jax.rewards.reading import (
    BASED,
    EQUATION,
    EXPRESSION,
    LIST,
    MATRIX,
    NUMBER,
    OTHER,
    UNION,
    WORDS,
    Reading,
    as_words,
    is_label,
    is_name,
)
from sage_jax.rewards.tidy import squeezed

_DOUBT = re.compile(
    r"(?<!\\)\b(?:not|never|neither|nor|isn.?t|wrong|incorrect|cannot|can.?t|false|maybe|perhaps"
    r"|probably|possibly|likely|approximately|approx|about|around|roughly|nearly|almost|guess|unsure|if"
    r"|unless|except|but|than|least|most|between|either)\b|\\(?:not|neq|neg|lnot)(?![a-zA-Z])",
    re.IGNORECASE,
)


class Expressions(Protocol):
    """Compares what has to be read as mathematics."""

    def same(self, gold: str, answer: str) -> bool:
        """Whether two expressions are equal in value."""
        ...

    def same_equation(self, gold: tuple[str, str], answer: tuple[str, str]) -> bool:
        """Whether two equations say the same."""
        ...


def doubtful(answer: str, gold: str) -> bool:
    """Whether the answer negates or hedges where the gold does not."""
    return bool(_DOUBT.search(answer)) and not _DOUBT.search(gold)


def agree(gold: Reading, answer: Reading, expressions: Expressions) -> bool:
    """Whether the answer is right: of the gold's shape, and equal to it in value."""
    if squeezed(gold.text) == squeezed(answer.text):
        return True
    if EQUATION in (gold.kind, answer.kind):
        return _agree_as_equations(gold, answer, expressions)
    return _BY_KIND[gold.kind](gold, answer, expressions)


def _numbers(gold: Reading, answer: Reading, expressions: Expressions) -> bool:
    """A number must be given as a number: 37 + 13 and 100/2 still have to be worked out."""
    if answer.kind != NUMBER or answer.value is None or gold.value is None:
        return False
    unevaluated = gold.value.denominator == 1 and is_quotient(answer.bare)
    return not unevaluated and _same_amount(gold, answer)


def _same_amount(gold: Reading, answer: Reading) -> bool:
    assert gold.value is not None
    assert answer.value is not None
    of_gold, of_answer = gold.unit == "%", answer.unit == "%"
    if of_gold != of_answer:
        per_cent, other = (gold, answer) if of_gold else (answer, gold)
        assert per_cent.value is not None
        return other.unit is None and (
            per_cent.value == 100 * (other.value or 0)
            or (per_cent.value == other.value and abs(per_cent.value) >= 1)
        )
    return gold.value == answer.value and _same_unit(gold, answer)


def _same_unit(gold: Reading, answer: Reading) -> bool:
    """A unit may be left out or added, but not changed."""
    return gold.unit is None or answer.unit is None or gold.unit == answer.unit


def _words(gold: Reading, answer: Reading, expressions: Expressions) -> bool:
    return as_words(answer.text) == gold.bare


def _based(gold: Reading, answer: Reading, expressions: Expressions) -> bool:
    """Digit for digit; the base may be left out, since the question asks for it."""
    if answer.kind == BASED:
        return (gold.bare, gold.value) == (answer.bare, answer.value)
    return squeezed(answer.text).casefold() == gold.bare


def _lists(gold: Reading, answer: Reading, expressions: Expressions) -> bool:
    if answer.kind != LIST or answer.ends != gold.ends or len(gold.items) != len(answer.items):
        return False
    if gold.ends:
        return _in_order(gold, answer, expressions)
    return _in_any_order(gold, answer, expressions)


def _in_order(gold: Reading, answer: Reading, expressions: Expressions) -> bool:
    return len(gold.items) == len(answer.items) and all(
        agree(one, other, expressions) for one, other in zip(gold.items, answer.items, strict=True)
    )


def _in_any_order(gold: Reading, answer: Reading, expressions: Expressions) -> bool:
    left = list(answer.items)
    for one in gold.items:
        found = next((i for i, other in enumerate(left) if agree(one, other, expressions)), None)
        if found is None:
            return False
        del left[found]
    return not left


def _unions(gold: Reading, answer: Reading, expressions: Expressions) -> bool:
    several = answer.kind == LIST and not answer.ends and all(one.ends for one in answer.items)
    return (several or answer.kind == UNION) and _in_any_order(gold, answer, expressions)


def _matrices(gold: Reading, answer: Reading, expressions: Expressions) -> bool:
    return (
        answer.kind == MATRIX and answer.ends == gold.ends and _in_order(gold, answer, expressions)
    )


def _expressions(gold: Reading, answer: Reading, expressions: Expressions) -> bool:
    if answer.kind not in (EXPRESSION, NUMBER, WORDS):
        return False
    said = answer.text if answer.kind == WORDS else answer.bare
    if _same_unit(gold, answer) and expressions.same(gold.bare, said):
        return True
    # What looks like a unit may be a variable of the gold.
    return answer.unit is not None and expressions.same(gold.text, answer.text)


def _others(gold: Reading, answer: Reading, expressions: Expressions) -> bool:
    """Relations that are not read further count as written."""
    return False


_BY_KIND: dict[str, Callable[[Reading, Reading, Expressions], bool]] = {
    NUMBER: _numbers, WORDS: _words, BASED: _based, LIST: _lists, UNION: _unions,
    MATRIX: _matrices, EXPRESSION: _expressions, OTHER: _others,
}  # fmt: skip


def _agree_as_equations(gold: Reading, answer: Reading, expressions: Expressions) -> bool:
    if gold.kind != EQUATION:
        return _concludes(gold, answer.items, expressions)
    *labels, value = gold.items
    named = len(labels) == 1 and is_name(labels[0].text)
    if answer.kind != EQUATION:
        return named and agree(value, answer, expressions)
    if named and squeezed(answer.items[0].text) == squeezed(labels[0].text):
        return _concludes(value, answer.items, expressions)
    if len(gold.items) != 2 or len(answer.items) != 2:
        return False
    sides = [(one.items[0].text, one.items[1].text) for one in (gold, answer)]
    return expressions.same_equation(sides[0], sides[1])


def _concludes(gold: Reading, sides: tuple[Reading, ...], expressions: Expressions) -> bool:
    """Whether a chain of equal sides ends in the gold value and says nothing else before."""
    if len(sides) == 2 and is_name(sides[1].text) and not is_name(sides[0].text):
        sides = sides[::-1]
    *before, last = sides
    return agree(gold, last, expressions) and all(
        is_label(side.text) or _same_value(gold, side, expressions) for side in before
    )


def _same_value(gold: Reading, side: Reading, expressions: Expressions) -> bool:
    """Equal in value, though perhaps not worked out: 6 * 7 of "6 * 7 = 42"."""
    if gold.kind == NUMBER and side.kind == NUMBER:
        return _same_amount(gold, side)
    if gold.kind in (NUMBER, EXPRESSION) and side.kind in (NUMBER, EXPRESSION):
        return expressions.same(gold.bare, side.bare)
    return agree(gold, side, expressions)
