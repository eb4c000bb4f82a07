"""Whether two plain values are the same: numbers with units, residues, ratios, times, bases."""

from fractions import Fraction

from sage_jax.rewards.numbers import is_quotient
from sage_jax.rewards.reading import BASED, NUMBER, RATIO, RESIDUE, TIME, Reading
from sage_jax.rewards.shapes import time_of_day
from sage_jax.rewards.tidy import squeezed


def numbers(gold: Reading, answer: Reading) -> bool:
    """A number must be given as a number: 37 + 13 and 100/2 still have to be worked out."""
    assert gold.value is not None
    if answer.kind == RESIDUE:
        return gold.value == int(answer.bare) and 0 <= gold.value < (answer.value or 0)
    if answer.kind == RATIO and gold.value.denominator != 1:
        return _is_ratio(answer, gold.value)
    if answer.kind != NUMBER or answer.value is None:
        return False
    unevaluated = answer.value.denominator == 1 and is_quotient(answer.bare)
    return not unevaluated and same_amount(gold, answer)


def _is_ratio(pair: Reading, value: Fraction | None) -> bool:
    """Whether a : b is the number a / b."""
    one = pair.items[1].value if len(pair.items) == 2 else None
    return bool(one) and value is not None and value * one == 1


def same_amount(gold: Reading, answer: Reading) -> bool:
    """Equal numbers in one unit; a per cent is a hundredth, or a unit of what is at least 1."""
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
    return gold.value == answer.value and same_unit(gold, answer)


def same_unit(gold: Reading, answer: Reading) -> bool:
    """A unit may be left out or added, but not changed."""
    return gold.unit is None or answer.unit is None or gold.unit == answer.unit


def residues(gold: Reading, answer: Reading) -> bool:
    """Modulo one number; without it the residue itself."""
    if answer.kind == NUMBER:
        return answer.unit is None and answer.value == int(gold.bare)
    if answer.kind != RESIDUE or answer.value is None or answer.value != gold.value:
        return False
    return (int(gold.bare) - int(answer.bare)) % int(answer.value) == 0


def ratios(gold: Reading, answer: Reading) -> bool:
    """In proportion; a ratio of two is their quotient as well."""
    if answer.kind == TIME:
        return times(gold, answer)
    if answer.kind == RATIO:
        return [one.value for one in gold.items] == [one.value for one in answer.items]
    return answer.kind == NUMBER and answer.unit is None and _is_ratio(gold, answer.value)


def times(gold: Reading, answer: Reading) -> bool:
    """The half of the day may be left out, not changed."""
    one, other = (time_of_day(reading.text, sure=False) for reading in (gold, answer))
    if one is None or other is None or one[0] != other[0]:
        return False
    return None in (one[1], other[1]) or one[1] == other[1]


def based(gold: Reading, answer: Reading) -> bool:
    """Digit for digit; the base may be left out, since the question asks for it."""
    if answer.kind == BASED:
        return (gold.bare, gold.value) == (answer.bare, answer.value)
    return squeezed(answer.text).casefold() == gold.bare
