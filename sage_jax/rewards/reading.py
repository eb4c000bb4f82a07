"""What an answer is: a number, words, a list, an interval, an equation; read by its outer shape.

Reading is linear, knows nothing of mathematics beyond brackets and commas, and so is safe in the
process that trains. What is left between them is an "expression", which only the library can read.
"""

import re
from dataclasses import dataclass, replace
from fractions import Fraction

from sage_jax.rewards import shapes
from sage_jax.rewards.brackets import balanced, both_signs, split_outside
from sage_jax.rewards.choices import choice_of
from sage_jax.rewards.degrees import are_a_unit
from sage_jax.rewards.framing import unframed
from sage_jax.rewards.names import is_name
from sage_jax.rewards.numbers import number_of
from sage_jax.rewards.quantities import (
    degrees_and_minutes,
    in_two_units,
    names_in,
    ordinal,
    scaled,
)
from sage_jax.rewards.relations import LESS, MORE, as_intervals, bounds_of, rising
from sage_jax.rewards.units import single_letter, split_unit
from sage_jax.rewards.words import as_words, is_product, meaning

NUMBER, WORDS, BASED, LIST, UNION, MATRIX = "number", "words", "based", "list", "union", "matrix"
EQUATION, EXPRESSION, RELATION, OTHER = "equation", "expression", "relation", "other"
CHOICE, RESIDUE, RATIO, TIME, CASES = "choice", "residue", "ratio", "time", "cases"

_JOIN = re.compile(
    r"\s?,?\s?(?:\\text\{\s?(?:and|or)\s?\}|(?<![A-Za-z\\])(?:and|or)(?![A-Za-z])"
    r"|\\(?:lor|land)(?![a-zA-Z])|\\&)\s?"
)
_COMMAS, _RELATIONS = {",", ";"}, {"=", "<", ">", r"\le", r"\ge", r"\neq", r"\approx", r"\in"}
_PLUS = re.compile(r"^\+\s?(?=[\w(.]|\\(?!text))")
_SPACED = re.compile(r"[A-Za-z](?: [A-Za-z])+")  # x y z, a product
_TRANSPOSED = re.compile(
    r"(?P<inside>.*[)\]}>])\s?\^\s?(?:T|\\top|\\text\{T\}|\{\s?(?:T|\\top|\\text\{T\})\s?\})",
    re.DOTALL,
)
_ONLY_TEXT = re.compile(r"\(?\s?\\text\{[^{}]*\}\s?\)?")
_PART = re.compile(r"\(\s?([a-h])\s?\)\s?")


@dataclass(frozen=True)
class Reading:
    """An answer as it was read.

    Attributes:
        kind: one of the names above.
        text: what was read, tidied.
        bare: the same without a unit.
        value: of a number; the base, the modulus, minutes.
        unit: of a number or an expression, None where it has none; of a time the half of the day.
        items: parts of a list, a union, a matrix (row by row), the sides of an equation or a
            relation, the value of a choice (its letter is `bare`).
        ends: a list's brackets, "" for those of a set and for none; a matrix's shape; a relation's
            signs.
    """

    kind: str
    text: str
    bare: str
    value: Fraction | None = None
    unit: str | None = None
    items: tuple["Reading", ...] = ()
    ends: str = ""


def read(text: str, *, is_gold: bool) -> Reading:
    r"""Read tidied text.

    In a gold a bare letter is a variable and a bare plural is not a unit; in an answer, behind a
    number, they are units ("7 m", "7 apples").

    >>> read("(3,4]", is_gold=True).ends, read("x=3", is_gold=True).kind
    ('(]', 'equation')
    >>> [item.text for item in read(r"1 \pm \sqrt{2}", is_gold=True).items]
    ['1 + \\sqrt{2}', '1 - \\sqrt{2}']
    """
    text = unframed(text.strip())
    text = as_intervals(meaning(text) or text)
    if (
        simple := _number(text, is_gold=is_gold)
        or _patterned(text, is_gold=is_gold)
        or _words(text)
    ):
        return simple
    sides, signs = split_outside(text, _RELATIONS)
    elements = [text] if signs and _has_thousands(sides, is_gold=is_gold) else _elements(text)
    if len(elements) > 1:
        return _list(text, elements, "", is_gold=is_gold)
    if signs:
        return _related(text, sides, signs, is_gold=is_gold)
    parts, _ = split_outside(text, {r"\cup"})
    if len(parts) > 1:
        items = tuple(read(part, is_gold=is_gold) for part in parts)
        return Reading(UNION, text, text, items=items)
    return _bracketed(text, is_gold=is_gold) or _expression(text)


def _number(text: str, *, is_gold: bool) -> Reading | None:
    if (value := number_of(text)) is not None:
        return Reading(NUMBER, text, text, value)
    if digits := ordinal(text):
        return Reading(NUMBER, text, digits, Fraction(digits))
    if angle := degrees_and_minutes(text):
        return Reading(NUMBER, text, text, angle, "degree")
    if amount := scaled(text):
        number = _number(amount[0], is_gold=is_gold)
        return number and replace(number, text=text, value=(number.value or 0) * amount[1])
    bare, unit = split_unit(text, counted=not is_gold)
    value = number_of(bare) if unit else None
    if unit is None or value is None:
        return None
    if is_gold and single_letter(unit) and _is_variable(text, unit):
        return None
    return Reading(NUMBER, text, bare, value, unit)


def _is_variable(text: str, unit: str) -> bool:
    """Whether a unit of one letter stands bare, as a variable does."""
    return (
        unit[0].isalpha()
        and r"\text" not in text
        and text.rstrip("0123456789^{} ").endswith(unit[0])
    )


def _patterned(text: str, *, is_gold: bool) -> Reading | None:
    """What a pattern tells of the whole."""
    if choice := choice_of(text):
        items = (read(choice.value, is_gold=is_gold),) if choice.value else ()
        return Reading(CHOICE, text, choice.letter, items=items)
    if based := shapes.based(text):
        return Reading(BASED, text, based[0], value=Fraction(based[1]))
    if residue := shapes.residue(text):
        return Reading(RESIDUE, text, str(residue[0]), value=Fraction(residue[1]))
    if time := shapes.time_of_day(text):
        return Reading(TIME, text, text, value=Fraction(time[0]), unit=time[1])
    if ratio := shapes.ratio(text):
        items = tuple(Reading(NUMBER, str(part), str(part), part) for part in ratio)
        return Reading(RATIO, text, text, items=items)
    if amounts := in_two_units(text):
        return _list(text, amounts, "+", is_gold=False)
    if names := names_in(text):
        return _list(text, [rf"\text{{{name}}}" for name in names], "", is_gold=is_gold)
    if match := _TRANSPOSED.fullmatch(text):
        return _transposed(text, read(match["inside"], is_gold=is_gold))
    if r"\begin" in text:
        return _of_rows(text, is_gold=is_gold)
    return _parts(text, is_gold=is_gold)


def _transposed(text: str, one: Reading) -> Reading | None:
    """A matrix with rows for columns; a tuple or a row of numbers as a column."""
    if one.kind == LIST and one.ends in ("()", "[]", "<>"):
        return Reading(MATRIX, text, text, items=one.items, ends=" ".join("1" for _ in one.items))
    widths = set(one.ends.split())
    if one.kind != MATRIX or len(widths) != 1:
        return None
    width = int(widths.pop())
    items = tuple(cell for column in range(width) for cell in one.items[column::width])
    height = len(one.items) // width
    return Reading(MATRIX, text, text, items=items, ends=" ".join([str(height)] * width))


def _of_rows(text: str, *, is_gold: bool) -> Reading | None:
    if matrix := shapes.matrix(text):
        return _matrix(text, *matrix, is_gold=is_gold)
    rows = shapes.cases(text)
    if rows and all(len(row) == 1 for row in rows):  # a system
        return _list(text, [row[0] for row in rows], "", is_gold=is_gold)
    if rows:
        items = tuple(read(cell, is_gold=is_gold) for row in rows for cell in row)
        return Reading(CASES, text, text, items=items, ends=_shape(rows))
    return None


def _parts(text: str, *, is_gold: bool) -> Reading | None:
    """Answers to the parts of one question: (a) 3 (b) 4."""
    before, *labelled = _PART.split(text)
    labels, answers = labelled[::2], [part.strip(" ,;.") for part in labelled[1::2]]
    if (
        before
        or len(labels) < 2
        or not all(answers)
        or sorted(labels) != list("abcdefgh"[: len(labels)])
    ):
        return None
    in_order = [answer for _, answer in sorted(zip(labels, answers, strict=True))]
    return _list(text, in_order, "(a)", is_gold=is_gold)


def _words(text: str) -> Reading | None:
    words = as_words(text)
    marked = _ONLY_TEXT.fullmatch(text)
    if words is None or not (marked or len(re.sub(r"[^a-z]", "", words)) > 2):
        return None
    if is_product(text) or _SPACED.fullmatch(text):
        return None
    return Reading(WORDS, text, words)


def _elements(text: str) -> list[str]:
    """The members of a list without brackets; both of what \\pm stands for."""
    joined = _JOIN.sub(" , ", text)
    members, _ = split_outside(joined, _COMMAS)
    return [one for member in members for one in both_signs(member)]


def _has_thousands(sides: list[str], *, is_gold: bool) -> bool:
    """Whether the only commas of "x = 1,234" are those inside of its number."""
    *before, last = sides
    inside = "," in last and _number(last, is_gold=is_gold) is not None
    return inside and not any("," in side or _JOIN.search(side) for side in before)


def _list(text: str, members: list[str], ends: str, *, is_gold: bool) -> Reading:
    items = tuple(read(member, is_gold=is_gold) for member in members)
    return Reading(LIST, text, text, items=items, ends=ends)


def _bracketed(text: str, *, is_gold: bool) -> Reading | None:
    opening, closing = text[:1], text[-1:]
    if text.startswith(r"\{") and text.endswith(r"\}"):
        inside, ends = text[2:-2].strip(), ""
    elif text.startswith(r"\langle") and text.endswith(r"\rangle"):
        inside, ends = text[7:-7].strip(), "<>"
    elif opening in "([" and closing in ")]" and opening and closing:
        inside, ends = text[1:-1].strip(), opening + closing
    else:
        return None
    if not inside or not balanced(inside):
        return None
    members = _elements(inside) if not ends else split_outside(inside, _COMMAS)[0]
    if len(members) > 1:
        return _list(text, members, ends, is_gold=is_gold)
    return read(inside, is_gold=is_gold) if ends in ("", "()") else None


def _related(text: str, sides: list[str], signs: list[str], *, is_gold: bool) -> Reading:
    if r"\approx" in signs:
        return _exact_part(text, sides, signs, is_gold=is_gold)
    if set(signs) <= {"=", r"\in"} and all(sides):
        items = tuple(read(side, is_gold=is_gold) for side in sides)
        return Reading(EQUATION, text, text, items=items)
    return _between(text, sides, signs, is_gold=is_gold) or Reading(OTHER, text, text)


def _exact_part(text: str, sides: list[str], signs: list[str], *, is_gold: bool) -> Reading:
    """What is said before "about": 1/3 of "1/3, about 0.333", but nothing of "x is about 5"."""
    cut = signs.index(r"\approx") + 1
    if not all(sides[cut - 1 :]) or is_name(sides[cut - 1]) or set(signs[: cut - 1]) > {"="}:
        return Reading(OTHER, text, text)
    whole = sides[0] + "".join(
        f" {sign} {side}" for sign, side in zip(signs[: cut - 1], sides[1:cut], strict=True)
    )
    return read(whole, is_gold=is_gold)


def _between(text: str, sides: list[str], signs: list[str], *, is_gold: bool) -> Reading | None:
    r"""Read 2 < x \le 7 as (2,7], x > 3 as (3,\infty), and a > b + c by its sides."""
    if (bounds := bounds_of(sides, signs)) is not None:
        return _list(text, bounds[0], bounds[1], is_gold=is_gold)
    if not all(sides) or not (set(signs) <= LESS or set(signs) <= MORE):
        return None
    sides, signs = rising(sides, signs)
    items = tuple(read(side, is_gold=is_gold) for side in sides)
    return Reading(RELATION, text, text, items=items, ends=" ".join(signs))


def _matrix(text: str, factor: str, rows: list[list[str]], *, is_gold: bool) -> Reading | None:
    if factor not in ("", "-", "+") and number_of(factor) is None:
        return None
    times = {"": "", "+": "", "-": "-1"}.get(factor, factor)
    cells = [_times(times, cell) for row in rows for cell in row]
    items = tuple(read(cell, is_gold=is_gold) for cell in cells)
    return Reading(MATRIX, text, text, items=items, ends=_shape(rows))


def _times(factor: str, cell: str) -> str:
    if not factor:
        return cell
    scale, value = number_of(factor), number_of(cell)
    return f"({factor}) ({cell})" if scale is None or value is None else str(scale * value)


def _shape(rows: list[list[str]]) -> str:
    return " ".join(str(len(row)) for row in rows)


def _expression(text: str) -> Reading:
    text = _PLUS.sub("", text)
    bare, unit = split_unit(text, counted=False)
    if unit == "degree" and not are_a_unit(bare):
        return Reading(EXPRESSION, text, text)
    if unit in (None, "%") or (single_letter(unit) and _is_variable(text, unit)):
        return Reading(EXPRESSION, text, text)
    return Reading(EXPRESSION, text, bare, unit=unit)
