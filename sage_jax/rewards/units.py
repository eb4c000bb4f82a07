"""Units and currency around a value: which words are one, and whether two are the same."""

import re

from sage_jax.rewards.unit_names import BESIDE_OTHERS, NAME_OF, unit_named

_CURRENCY = re.compile(
    r"(?P<sign>[+-]?)\s?(?P<mark>\\\$|[$€£¥₹]|(?:US\\?\$?|USD|EUR|GBP|Rs\.?|INR)(?=[\s\d]))\s?"
    r"(?=[\d.+-])"
)
_TEXT = re.compile(r"\\text\{((?:[^{}]|\{[^{}]*\})*)\}")
_POWER = r"(?:\s?\^\s?(?:\{\s?-?\d\s?\}|-?\d))?"
_TAIL = re.compile(
    r"(?:(?<=[\d}).])|(?<=\s))\s?"
    rf"(?P<unit>(?:(?:square|cubic|sq|cu)\.?\s)?[A-Za-z]+\.?{_POWER}"
    rf"(?:\s?(?:/|\bper\b)\s?[A-Za-z]+{_POWER})?|(?:/|per)\s?[A-Za-z]{{2,}})$"
)
_ATOM = rf"(?:\\mu\s?[a-zA-Z]|\\Omega(?![a-zA-Z])|(?!per\b)[A-Za-z]+){_POWER}"
_TIMES = r"(?:\s?\\cdot\s?|\s?\*\s?|\s)"
_COMPOUND = re.compile(
    rf"(?:(?<=[\d}}).])|(?<=\s))\s?(?P<unit>{_ATOM}(?:{_TIMES}{_ATOM})*"
    rf"(?:\s?(?:/|\bper\b)\s?(?:{_ATOM}|\(\s?{_ATOM}(?:{_TIMES}{_ATOM})*\s?\)))*)$"
)
_LONGEST = 48  # characters of a unit
_OVER = re.compile(
    r"\\frac\s?\{\s?((?:\\text\{[^{}]*\}(?:\^\s?\d)?\s?)+)\}\s?\{\s?((?:\\text\{[^{}]*\}(?:\^\s?\d)?\s?)+)\}$"
)
_ADJECTIVE = re.compile(r"(?<=\s)(?:different|distinct|possible|unique)\s(?=[a-z]+s$)")
_SIGN_TAIL = re.compile(
    r"\s?(?P<unit>%|\^\\circ\s?[CFK]?|\\\$|[€£¥₹¢]|元|度|个|人|种|米|厘米|千米|天|小时|分钟)$"
)
_PERCENT = re.compile(r"\s?(?:per\s?cent|percent|pct)\.?$", re.IGNORECASE)

_PER = ("/", "per ")
_PLURAL = re.compile(r"[^suiy]s$")  # not less, plus, this, always

# English plurals that change the value rather than name what is counted.
_CHANGING = """
times perhaps always sometimes besides does ones twos threes fours fives sixes sevens eights nines
elevens twelves tens dozens scores hundreds thousands lakhs millions crores billions trillions
halves thirds quarters fourths fifths sixths sevenths eighths ninths tenths hundredths thousandths
millionths billionths pairs couples doubles triples squares cubes powers percents percentages
inverses negatives factorials primes bits
"""
_NOT_COUNTED = frozenset(_CHANGING.split())


def split_unit(text: str, *, counted: bool) -> tuple[str, str | None]:
    r"""Split tidied text into a value and its unit, None where it has none that is known.

    A unit is a known one (with a power, "square", "per ..."), a sign of currency, a percent sign,
    degrees, or, where things may be `counted`, an English plural of one word. Any other words are
    left with the value, which they spoil.

    >>> split_unit(r"15\text{ cm}^2", counted=False), split_unit("42 is wrong", counted=True)
    (('15', 'cm^2'), ('42 is wrong', None))
    """
    parted = "" if r"\text" in text else r"[/^]" if counted else r"[A-Za-z]{2}"
    text = _OVER.sub(r"\1/\2", text) if r"\frac" in text else text
    text = _TEXT.sub(r" \1 ", text).strip() if _TEXT.search(text) else text
    text = re.sub(r"\s+", " ", text)
    if match := _CURRENCY.match(text):
        value = match["sign"] + text[match.end() :]
        rest, unit = split_unit(value, counted=False)
        mark = NAME_OF.get(match["mark"].rstrip(".").casefold(), match["mark"])
        per = unit is not None and unit.startswith("/")
        return (rest, mark) if per or unit in (None, mark) else (text, None)
    if match := _PERCENT.search(text):
        return text[: match.start()], "%"
    if match := _SIGN_TAIL.search(text):
        return text[: match.start()].strip(), _sign(match["unit"])
    if counted:
        text = _ADJECTIVE.sub("", text)
    place = max(0, len(text) - _LONGEST)
    if (match := _COMPOUND.search(text, place)) and (unit := _compound(match["unit"], parted)):
        return text[: match.start()].strip(), unit
    if (match := _TAIL.search(text)) and (unit := _unit(match["unit"], counted=counted)):
        return text[: match.start()].strip(), unit
    return text, None


def _sign(mark: str) -> str:
    if mark.startswith("^"):
        scale = mark.removeprefix(r"^\circ").strip()
        return "degree" + scale
    return NAME_OF.get(mark, mark)


def _unit(text: str, *, counted: bool) -> str | None:
    text = re.sub(r"[{}\s]*\^[{\s]*(-?\d)\}?", r"^\1", text.strip().rstrip("."))
    square = re.match(r"(square|sq|cubic|cu)\.?\s", text)
    if square:
        text = text[square.end() :] + ("^2" if square[1].startswith("sq") else "^3")
    parts = [_atom(part.strip(), counted=counted) for part in re.split(r"/|\bper\b", text)]
    return "/".join(part or "" for part in parts) if all(parts[text.startswith(_PER) :]) else None


def _compound(text: str, parted: str) -> str | None:
    r"""Several units as one, in order: m s^{-2} and m/s^2 are m/s^2; None if one is unknown.

    None as well for a word alone, and for letters that may as well be variables, 2 g h, unless
    they hold what is `parted`.
    """
    sign = text.startswith("\\")
    text = text.replace(r"\cdot", " ")
    if not (sign or re.search(parted, text)):
        return None
    powers: dict[str, int] = {}
    below = inside = False
    for mark, atom in re.findall(rf"(/|\bper\b|[()])|({_ATOM})", text):
        if mark:
            inside = mark == "("
            below = below if mark in "()" and inside else mark in ("/", "per")
            continue
        word, _, power = atom.partition("^")
        name = word if word in BESIDE_OTHERS else unit_named(word.strip())
        if name is None:
            return None
        exponent = int(re.sub(r"[^\d-]", "", power) or 1)
        names = [("m", 1), ("s", exponent)] if name == "ms" and exponent < 0 else [(name, exponent)]
        for one, times in names:  # ms^{-2} is m s^{-2}
            powers[one] = powers.get(one, 0) + (-times if below else times)
        below = below and inside
    lettered = not parted and set(powers) <= BESIDE_OTHERS  # 5\text{ A}
    return _spelt(powers) if sign or lettered or len(powers) > 1 else None


def _spelt(powers: dict[str, int]) -> str:
    above = sorted((name, power) for name, power in powers.items() if power > 0)
    under = sorted((name, -power) for name, power in powers.items() if power < 0)
    spell = [".".join(n if p == 1 else f"{n}^{p}" for n, p in side) for side in (above, under)]
    return "/".join(spell) if spell[1] else spell[0]


def _atom(text: str, *, counted: bool) -> str | None:
    word, power, exponent = text.partition("^")
    if name := unit_named(word):
        return name + power + exponent
    noun = word.casefold() if len(word) > 2 else word
    if (
        counted
        and not power
        and len(noun) > 3
        and _PLURAL.search(noun)
        and noun not in _NOT_COUNTED
    ):
        return noun.removesuffix("s")
    return None


def single_letter(unit: str) -> bool:
    """Whether a unit may as well be the name of a variable."""
    return len(unit.partition("^")[0]) == 1
