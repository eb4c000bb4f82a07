"""Whether an answer, as it was read, is the gold one: shapes here, expressions by the library."""

import re
from collections.abc import Callable
from typing import Protocol

from sage_jax.rewards import amounts
from sage_jax.rewards.degrees import are_in_degrees
from sage_jax.rewards.names import is_label, is_name, is_quantity
from sage_jax.rewards.reading import (
    BASED,
    CASES,
    CHOICE,
    EQUATION,
    EXPRESSION,
    LIST,
    MATRIX,
    NUMBER,
    OTHER,
    RATIO,
    RELATION,
    RESIDUE,
    TIME,
    UNION,
    WORDS,
    Reading,
)
from sage_jax.rewards.tidy import squeezed
from sage_jax.rewards.words import are_short_words, as_words, meaning, same_product, same_words

_DOUBT = re.compile(
    r"(?<!\\)\b(?:not|never|neither|nor|isn.?t|wrong|incorrect|cannot|can.?t|false|maybe|perhaps"
    r"|probably|possibly|likely|approximately|approx|about|around|roughly|nearly|almost|guess|unsure|if"
    r"|unless|except|but|than|least|most|between|either)\b|\\(?:not|neq|neg|lnot)(?![a-zA-Z])",
    re.IGNORECASE,
)
_TEXT = re.compile(r"\\text\{([A-Za-z]+)\}")
_CONDITION = re.compile(r"\\text\{\s?if\s?\}")
_NOT_THIS = re.compile(r"[A-Za-z]\s?\\neq\s?[^,;=<>]+")
_TUPLES = ("()", "<>")


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
    if r"\begin{cases}" in gold:
        answer = _CONDITION.sub(" ", answer)
    if not _DOUBT.search(answer) or _DOUBT.search(gold):
        return False
    # "Does not exist" says what DNE does; x is not 0 is a set, where the gold is one.
    set_of_reals = r"\infty" in gold or r"\mathbb{R}" in gold
    return meaning(answer) is None and not (set_of_reals and _NOT_THIS.fullmatch(answer))


def agree(gold: Reading, answer: Reading, expressions: Expressions) -> bool:
    """Whether the answer is right: of the gold's shape, and equal to it in value."""
    if squeezed(_TEXT.sub(r"\1", gold.text)) == squeezed(_TEXT.sub(r"\1", answer.text)):
        return True
    if same_words(gold.text, answer.text) or same_product(gold.text, answer.text):
        return True
    if CHOICE in (gold.kind, answer.kind):
        return _agree_as_choices(gold, answer, expressions)
    if _is_system(gold) or _is_system(answer):
        return _agree_as_systems(gold, answer, expressions)
    if EQUATION in (gold.kind, answer.kind):
        return _agree_as_equations(gold, answer, expressions)
    return _by_kind(gold, answer, expressions)


def _by_kind(gold: Reading, answer: Reading, expressions: Expressions) -> bool:
    if gold.kind in _PLAIN:
        return _PLAIN[gold.kind](gold, answer)
    return _BY_KIND.get(gold.kind, _others)(gold, answer, expressions)


def _agree_as_choices(gold: Reading, answer: Reading, expressions: Expressions) -> bool:
    """The letter or the value will do; where both have both, both must be right."""
    if gold.kind != CHOICE:
        if same_words(gold.text, answer.bare):
            return True
        return bool(answer.items) and agree(gold, answer.items[0], expressions)
    if answer.kind != CHOICE:
        value = gold.items[0] if gold.items else gold
        return same_words(gold.bare, answer.text) or agree(value, answer, expressions)
    same = gold.bare == answer.bare
    if not (gold.items and answer.items):
        return same
    return same and agree(gold.items[0], answer.items[0], expressions)


def _words(gold: Reading, answer: Reading, expressions: Expressions) -> bool:
    return as_words(meaning(answer.text) or answer.text) == gold.bare


def _lists(gold: Reading, answer: Reading, expressions: Expressions) -> bool:
    if answer.kind == MATRIX:
        return gold.ends in _TUPLES and _same_column(answer, gold, gold, answer, expressions)
    if answer.kind == UNION:
        intervals = not gold.ends and all(one.ends for one in gold.items)
        return intervals and _in_any_order(gold, answer, expressions)
    ends = {"()" if one.ends in _TUPLES else one.ends for one in (gold, answer)}
    if answer.ends == "(a)" and not gold.ends:
        ends = {"(a)"}
    if answer.kind != LIST or len(ends) > 1 or len(gold.items) != len(answer.items):
        return False
    return (_in_order if ends != {""} else _in_any_order)(gold, answer, expressions)


def _same_column(
    matrix: Reading, pair: Reading, gold: Reading, answer: Reading, expressions: Expressions
) -> bool:
    """Whether a matrix of one column (or row) holds the members of a tuple."""
    one = set(matrix.ends.split()) == {"1"} or " " not in matrix.ends
    return one and len(pair.items) > 1 and _in_order(gold, answer, expressions)


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
    if answer.kind == LIST and answer.ends in _TUPLES:
        return _same_column(gold, answer, gold, answer, expressions)
    rows = [row for row in answer.items if row.kind == LIST and row.ends == "[]"]
    if answer.kind == LIST and answer.ends == "[]" and len(rows) == len(answer.items):
        cells = tuple(cell for row in rows for cell in row.items)
        shape = " ".join(str(len(row.items)) for row in rows)
        answer = Reading(MATRIX, answer.text, answer.text, items=cells, ends=shape)
    return (
        answer.kind == MATRIX and answer.ends == gold.ends and _in_order(gold, answer, expressions)
    )


def _alike(gold: Reading, answer: Reading, expressions: Expressions) -> bool:
    """Relations by their signs and sides, cases by their values and conditions."""
    same = answer.kind == gold.kind and answer.ends == gold.ends
    return same and _in_order(gold, answer, expressions)


def _expressions(gold: Reading, answer: Reading, expressions: Expressions) -> bool:
    if answer.kind not in (EXPRESSION, NUMBER, WORDS, RATIO):
        return False
    if are_short_words(gold.text, answer.text):  # no is not on
        return False
    said = answer.text if answer.kind in (WORDS, RATIO) else answer.bare
    if amounts.same_unit(gold, answer) and expressions.same(gold.bare, said):
        return True
    if answer.unit == "degree":
        return r"^\circ" in gold.text and _same_in_degrees(gold, answer, expressions)
    # What looks like a unit may be a variable of the gold.
    return answer.unit is not None and expressions.same(gold.text, answer.text)


def _same_in_degrees(gold: Reading, answer: Reading, expressions: Expressions) -> bool:
    r"""Whether (180 - 2x)^\circ is the gold 180^\circ - 2x, its letters being degrees as well."""
    angle = are_in_degrees(gold.text)
    return angle and expressions.same(gold.text.replace(r"^\circ", " "), answer.bare)


def _others(gold: Reading, answer: Reading, expressions: Expressions) -> bool:
    """Relations that are not read further count as written."""
    return False


# Those that are told without mathematics.
_PLAIN: dict[str, Callable[[Reading, Reading], bool]] = {
    NUMBER: amounts.numbers, BASED: amounts.based, RESIDUE: amounts.residues,
    RATIO: amounts.ratios, TIME: amounts.times,
}  # fmt: skip
_BY_KIND: dict[str, Callable[[Reading, Reading, Expressions], bool]] = {
    WORDS: _words, LIST: _lists, UNION: _unions,
    MATRIX: _matrices, EXPRESSION: _expressions, OTHER: _others, RELATION: _alike,
    CASES: _alike,
}  # fmt: skip


def _is_system(one: Reading) -> bool:
    """Whether this is x = 1, y = 2: names and their values, no name twice."""
    if one.kind != LIST or one.ends:
        return False
    names = [e.items[0].text for e in one.items if e.kind == EQUATION and len(e.items) == 2]
    return (
        len(names) == len(one.items) == len(set(names))
        and all(map(is_name, names))
        and len({name.partition("_")[0] for name in names}) == len(names)
    )


def _agree_as_systems(gold: Reading, answer: Reading, expressions: Expressions) -> bool:
    """Names with their values in any order; or the tuple of the values, names being in order."""
    if _is_system(gold) and _is_system(answer):
        return _in_any_order(gold, answer, expressions)
    tuples = [_values_in_order(one) for one in (gold, answer)]
    if tuples[0] is None or tuples[1] is None:
        return not _is_system(gold) and _by_kind(gold, answer, expressions)
    return _in_order(tuples[0], tuples[1], expressions)


def _values_in_order(one: Reading) -> Reading | None:
    """The tuple that x = 1, y = 2 and (x, y) = (1, 2) give."""
    if one.kind == EQUATION and len(one.items) == 2 and one.items[0].ends in _TUPLES:
        return one.items[1] if one.items[1].ends in _TUPLES else None
    if not _is_system(one):
        return one if one.kind == LIST and one.ends in _TUPLES else None
    items = sorted(one.items, key=lambda equation: equation.items[0].text)
    return Reading(LIST, one.text, one.text, items=tuple(e.items[1] for e in items), ends="()")


def _agree_as_equations(gold: Reading, answer: Reading, expressions: Expressions) -> bool:
    if gold.kind != EQUATION:
        return _concludes(gold, answer.items, expressions)
    *labels, value = gold.items
    named = len(labels) == 1 and is_quantity(labels[0].text)
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
        return amounts.same_amount(gold, side)
    if gold.kind in (NUMBER, EXPRESSION) and side.kind in (NUMBER, EXPRESSION):
        return expressions.same(gold.bare, side.bare)
    return agree(gold, side, expressions)
