"""Units and currency around a value: which words are one, and whether two are the same."""

import re

_CURRENCY = re.compile(
    r"(?P<sign>[+-]?)\s?(?P<mark>\\\$|[$€£¥₹]|(?:US\\?\$?|USD|EUR|GBP|Rs\.?|INR)(?=[\s\d]))\s?"
    r"(?=[\d.+-])"
)
_TEXT = re.compile(r"\\text\{([^{}]*)\}")
_POWER = r"(?:\s?\^\s?(?:\{-?\d\}|-?\d))?"
_TAIL = re.compile(
    r"(?:(?<=[\d}).])|(?<=\s))\s?"
    rf"(?P<unit>(?:(?:square|cubic|sq|cu)\.?\s)?[A-Za-z]+\.?{_POWER}"
    rf"(?:\s?(?:/|\bper\b)\s?[A-Za-z]+{_POWER})?|(?:/|per)\s?[A-Za-z]{{2,}})$"
)
_SIGN_TAIL = re.compile(
    r"\s?(?P<unit>%|\^\\circ\s?[CFK]?|\\\$|[€£¥₹¢]|元|度|个|人|种|米|厘米|千米|天|小时|分钟)$"
)
_PERCENT = re.compile(r"\s?(?:per\s?cent|percent|pct)\.?$", re.IGNORECASE)

_PER = ("/", "per ")
# A unit a line: its name, then other ways to write it. Words of three letters and more are taken in
# any case and with a plural s.
_KNOWN = r"""
dollar \$ $ usd us us$ us\$ buck
euro € eur
pound £ gbp
rupee ₹ rs inr
yuan ¥ 元 yen rmb
cent ¢
penny pence
degree ^\circ deg 度
radian rad
m meter metre 米
km kilometer kilometre 千米
cm centimeter centimetre 厘米
mm millimeter millimetre
nm nanometer nanometre
in inch inche
ft foot feet
yd yard
mi mile
mph
kph kmph kmh
s sec second
ms millisecond
min minute 分钟
h hr hour 小时
day 天
week
month
year yr
am a.m
pm p.m
g gram
kg Kg kilogram
mg milligram
lb
oz ounce
l L liter litre
ml milliliter millilitre
gal gallon
acre
unit
person people 人
man men
woman women
child children
item 个
way 种
point pt
N newton
J joule
W watt
V volt
K kelvin
Pa pascal
Hz hertz
eV
mol mole
amp ampere
ohm
erg
pc parsec
AU
sheep
fish
mice mouse
"""
_NAME_OF = {word: line.split()[0] for line in _KNOWN.strip().split("\n") for word in line.split()}
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
    text = _TEXT.sub(r" \1 ", text).strip() if _TEXT.search(text) else text
    text = re.sub(r"\s+", " ", text)
    if match := _CURRENCY.match(text):
        value = match["sign"] + text[match.end() :]
        rest, unit = split_unit(value, counted=False)
        mark = _NAME_OF.get(match["mark"].rstrip(".").casefold(), match["mark"])
        per = unit is not None and unit.startswith("/")
        return (rest, mark) if per or unit in (None, mark) else (text, None)
    if match := _PERCENT.search(text):
        return text[: match.start()], "%"
    if match := _SIGN_TAIL.search(text):
        return text[: match.start()].strip(), _sign(match["unit"])
    if (match := _TAIL.search(text)) and (unit := _unit(match["unit"], counted=counted)):
        return text[: match.start()].strip(), unit
    return text, None


def _sign(mark: str) -> str:
    if mark.startswith("^"):
        scale = mark.removeprefix(r"^\circ").strip()
        return "degree" + scale
    return _NAME_OF.get(mark, mark)


def _unit(text: str, *, counted: bool) -> str | None:
    text = re.sub(r"[{}\s]*\^[{\s]*(-?\d)\}?", r"^\1", text.strip().rstrip("."))
    square = re.match(r"(square|sq|cubic|cu)\.?\s", text)
    if square:
        text = text[square.end() :] + ("^2" if square[1].startswith("sq") else "^3")
    parts = [_atom(part.strip(), counted=counted) for part in re.split(r"/|\bper\b", text)]
    return "/".join(part or "" for part in parts) if all(parts[text.startswith(_PER) :]) else None


def _atom(text: str, *, counted: bool) -> str | None:
    word, power, exponent = text.partition("^")
    noun = word.casefold() if len(word) > 2 else word  # M is a million, MM as well
    for spelt in (word, noun, noun.removesuffix("s")):
        if spelt in _NAME_OF:
            return _NAME_OF[spelt] + power + exponent
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
