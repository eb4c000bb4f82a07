"""What an answer is: a number, words, a list, an interval, an equation; read by its outer shape.

Reading is linear, knows nothing of mathematics beyond brackets and commas, and so is safe in the
process that trains. What is left between them is an "expression", which only the library can read.
"""

import re
from dataclasses import dataclass
from fractions import Fraction

from sage_jax.rewards.numbers import number_of
from sage_jax.rewards.units import single_letter, split_unit

NUMBER, WORDS, BASED, LIST, UNION, MATRIX = "number", "words", "based", "list", "union", "matrix"
EQUATION, EXPRESSION, OTHER = "equation", "expression", "other"

_TOKEN = re.compile(r"\\[a-zA-Z]+|\\.|.", re.DOTALL)
_JOIN = re.compile(
    r"\s?,?\s?(?:\\text\{\s?(?:and|or)\s?\}|(?<![A-Za-z\\])(?:and|or)(?![A-Za-z])"
    r"|\\(?:lor|vee|land|wedge)(?![a-zA-Z]))\s?"
)
_COMMAS, _RELATIONS = {",", ";"}, {"=", "<", ">", r"\le", r"\ge", r"\neq", r"\approx", r"\in"}
_ORDERS = {"<", ">", r"\le", r"\ge"}
_PREFIX = re.compile(
    r"^\\text\{\s?(?:[A-Za-z]+ ){0,3}(?:answer is|[A-Za-z]+\s?:)\s?\}\s?:?\s?(?=\S)"
)
_PLUS = re.compile(r"^\+\s?(?=[\w(.]|\\(?!text))")
_BASED = re.compile(r"(?P<digits>[0-9A-Za-z]+)\s?_\s?\{?\s?(?:\\text\{)?(?P<base>\d+)[\s})]*")
_MATRIX = re.compile(
    r"[(\[]?\s?\\begin\{(?P<kind>[pbB]?matrix|array)\}(?:\{[clr|\s]*\})?(?P<rows>.*)"
    r"\\end\{(?P=kind)\}\s?[)\]]?",
    re.DOTALL,
)
_ONLY_TEXT = re.compile(r"\(?\s?\\text\{[^{}]*\}\s?\)?")
_LETTERS = re.compile(r"[A-Za-z][A-Za-z '.-]*")
_GREEK = """
alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi rho
sigma tau upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega ell
"""
_LETTER = rf"(?:[A-Za-z]|\\(?:{'|'.join(_GREEK.split())})(?![a-zA-Z]))"
_NAME = re.compile(
    rf"{_LETTER}\s?(?:_\s?(?:\w|\{{[^{{}}]*\}}))?(?:\s?\(\s?{_LETTER}(?:\s?,\s?{_LETTER})*\s?\))?"
)
_PLACES = re.compile(r"_\s?(?:\w|\{[^{}]*\})|(?<=[A-Za-z])\s?\([^()]*\)")
_EXPONENT = re.compile(r"\^\s?(?:\w|\{[^{}]*\})")
_VARIABLE = re.compile(rf"(?<![\\A-Za-z]){_LETTER}")


@dataclass(frozen=True)
class Reading:
    """An answer as it was read.

    Attributes:
      kind: one of the names above.
      text: what was read, tidied.
      bare: the same without a unit.
      value: of a number.
      unit: of a number or an expression; None where it has none.
      items: parts of a list, a union, a matrix (row by row) or the sides of an equation.
      ends: a list's brackets, "" for those of a set and for none; a matrix's shape.
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
    text = _PREFIX.sub("", text.strip())
    if simple := _number(text, is_gold=is_gold) or _based(text) or _words(text):
        return simple
    if (matrix := _MATRIX.fullmatch(text)) is not None:
        return _matrix(text, matrix["rows"], is_gold=is_gold)
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


def split_outside(text: str, separators: set[str]) -> tuple[list[str], list[str]]:
    """Split at separators that stand outside all brackets; return the parts and the separators."""
    parts, found, depth = [""], [], 0
    for token in _TOKEN.findall(text):
        depth += (token in {"(", "[", "{", r"\{"}) - (token in {")", "]", "}", r"\}"})
        if depth == 0 and token in separators:
            found.append(token)
            parts.append("")
        else:
            parts[-1] += token
    return [part.strip() for part in parts], found


def is_name(text: str) -> bool:
    """Whether text is a variable, perhaps with an index or arguments: x, C_1, f(x)."""
    return _NAME.fullmatch(text) is not None


def is_label(text: str) -> bool:
    """Whether text before "=" says what a value is: m + n, f(2), AB^2, Area.

    Not a value itself, nor one side of an equation that is still to be solved: numbers stand only
    in places, such as an index, or above one of several letters.

    >>> [is_label(text) for text in ("m + n", "f(2)", "a_5", "AB^2", "Area")]
    [True, True, True, True, True]
    >>> [is_label(text) for text in ("6 * 7", "2x", "x + 1", "x^2", "5x - 7y + 4")]
    [False, False, False, False, False]
    """
    letters = set(_VARIABLE.findall(text)) | set("".join(words := _words_in(text)))
    bare = _PLACES.sub("", text)
    if len(letters) > 1:
        bare = _EXPONENT.sub("", bare)
    return bool(letters) and len(words) <= 3 and not re.search(r"\d", bare)


def as_words(text: str) -> str | None:
    r"""The words of a text that holds nothing else, in lower case; None otherwise.

    >>> as_words(r"\text{(B)}"), as_words("Evelyn"), as_words("x+1")
    ('b', 'evelyn', None)
    """
    text = re.sub(r"\\text\{([^{}]*)\}", r" \1 ", text).strip(" .")
    if text.startswith("(") and text.endswith(")"):
        text = text[1:-1].strip()
    return " ".join(text.split()).casefold() if _LETTERS.fullmatch(text) else None


def _words_in(text: str) -> list[str]:
    text = re.sub(r"\\text\{([^{}]*)\}", r" \1 ", text)
    return [word for word in re.findall(r"(?<!\\)\b[A-Za-z]+", text) if len(word) > 1]


def _number(text: str, *, is_gold: bool) -> Reading | None:
    if (value := number_of(text)) is not None:
        return Reading(NUMBER, text, text, value)
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


def _based(text: str) -> Reading | None:
    match = _BASED.fullmatch(text)
    if match is None or not match["digits"][0].isdigit():
        return None
    return Reading(BASED, text, match["digits"].casefold(), value=Fraction(match["base"]))


def _words(text: str) -> Reading | None:
    words = as_words(text)
    marked = _ONLY_TEXT.fullmatch(text)
    if words is None or not (marked or len(re.sub(r"[^a-z]", "", words)) > 2):
        return None
    return Reading(WORDS, text, words)


def _elements(text: str) -> list[str]:
    """The members of a list without brackets; both of what \\pm stands for."""
    joined = _JOIN.sub(" , ", text)
    members, _ = split_outside(joined, _COMMAS)
    return [one for member in members for one in _both(member)]


def _has_thousands(sides: list[str], *, is_gold: bool) -> bool:
    """Whether the only commas of "x = 1,234" are those inside of its number."""
    *before, last = sides
    inside = "," in last and _number(last, is_gold=is_gold) is not None
    return inside and not any("," in side or _JOIN.search(side) for side in before)


def _both(text: str) -> list[str]:
    sides, _ = split_outside(text, {r"\pm"})
    if len(sides) != 2:
        return [text]
    before = sides[0] + " " if sides[0] else ""
    return [f"{before}+ {sides[1]}" if before else sides[1], f"{before}- {sides[1]}"]


def _list(text: str, members: list[str], ends: str, *, is_gold: bool) -> Reading:
    items = tuple(read(member, is_gold=is_gold) for member in members)
    return Reading(LIST, text, text, items=items, ends=ends)


def _bracketed(text: str, *, is_gold: bool) -> Reading | None:
    opening, closing = text[:1], text[-1:]
    if text.startswith(r"\{") and text.endswith(r"\}"):
        inside, ends = text[2:-2].strip(), ""
    elif opening in "([" and closing in ")]" and opening and closing:
        inside, ends = text[1:-1].strip(), opening + closing
    else:
        return None
    if not inside or not _balanced(inside):
        return None
    members = _elements(inside) if not ends else split_outside(inside, _COMMAS)[0]
    if len(members) > 1:
        return _list(text, members, ends, is_gold=is_gold)
    return read(inside, is_gold=is_gold) if ends in ("", "()") else None


def _balanced(text: str) -> bool:
    depth = 0
    for token in _TOKEN.findall(text):
        depth += (token in {"(", "[", "{", r"\{"}) - (token in {")", "]", "}", r"\}"})
        if depth < 0:
            return False
    return depth == 0


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
    r"""Read 2 < x \le 7 as (2,7], and x > 3 as (3,\infty)."""
    if not set(signs) <= _ORDERS or not all(sides):
        return None
    if all(sign in {">", r"\ge"} for sign in signs):
        sides, signs = sides[::-1], [{">": "<", r"\ge": r"\le"}[sign] for sign in signs[::-1]]
    if any(sign in {">", r"\ge"} for sign in signs):
        return None
    if len(sides) == 3 and is_name(sides[1]):
        bounds = [sides[0], sides[2]]
    elif len(sides) == 2 and is_name(sides[0]):
        bounds, signs = [r"-\infty", sides[1]], ["<", *signs]
    elif len(sides) == 2 and is_name(sides[1]):
        bounds, signs = [sides[0], r"\infty"], [*signs, "<"]
    else:
        return None
    ends = ("(" if signs[0] == "<" else "[") + (")" if signs[1] == "<" else "]")
    return _list(text, bounds, ends, is_gold=is_gold)


def _matrix(text: str, rows: str, *, is_gold: bool) -> Reading:
    cells = [row.split("&") for row in re.split(r"\\\\", rows.strip().removesuffix(r"\\"))]
    items = tuple(read(cell, is_gold=is_gold) for row in cells for cell in row)
    return Reading(MATRIX, text, text, items=items, ends=" ".join(str(len(row)) for row in cells))


def _expression(text: str) -> Reading:
    text = _PLUS.sub("", text)
    bare, unit = split_unit(text, counted=False)
    if unit in (None, "%") or (single_letter(unit) and _is_variable(text, unit)):
        return Reading(EXPRESSION, text, text)
    return Reading(EXPRESSION, text, bare, unit=unit)
