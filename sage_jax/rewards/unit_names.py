r"""The names of units, and which of them are written with a prefix: kJ, MHz, \mu m."""

import re

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
ohm \Omega Ω
erg
pc parsec
AU
ly light-year lightyear
cal calorie
kcal
kWh
rpm
dB
ppm
psi
angstrom
bar
atm
farad
tesla
coulomb
henry
sheep
fish
mice mouse
"""
NAME_OF = {word: line.split()[0] for line in _KNOWN.strip().split("\n") for word in line.split()}
# Those of physics take a prefix in front of their sign.
_PREFIXED = re.compile(
    r"(?:\\mu\s?|[kMGTcdmnpµ])(?:eV|Hz|Pa|mol|cal|bar|pc|[JWVANFTCHmgsLlKΩ]|\\Omega)"
)

# Of one letter, and rather the name of something: units only beside others.
BESIDE_OTHERS = frozenset("ACFHT")


def unit_named(word: str) -> str | None:
    r"""The unit that a word or a sign names, None if it is none.

    >>> unit_named("metres"), unit_named("kJ"), unit_named("MM"), unit_named("k")
    ('m', 'kJ', None, None)
    """
    noun = word.casefold() if len(word) > 2 else word  # M is a million, MM as well
    for spelt in (word, noun, noun.removesuffix("s")):
        if spelt in NAME_OF:
            return NAME_OF[spelt]
    return re.sub(r"\s", "", word) if _PREFIXED.fullmatch(word) else None
