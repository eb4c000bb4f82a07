"""What may stand before "=" without being part of the answer: names and labels."""

import re

_GREEK = """
alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi rho
sigma tau upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega ell
"""
GREEK = frozenset(_GREEK.split())
"""Commands that write a letter."""
_LETTER = rf"(?:[A-Za-z]|\\(?:{'|'.join(sorted(GREEK))})(?![a-zA-Z]))"
_NAME = re.compile(
    rf"{_LETTER}\s?(?:_\s?(?:\w|\{{[^{{}}]*\}}))?(?:\s?\(\s?{_LETTER}(?:\s?,\s?{_LETTER})*\s?\))?"
)
_DERIVATIVE = re.compile(
    r"\\frac\s?\{\s?(d|\\partial)\s?(\^\d\s?)?\S*\s?\}\s?\{\s?(d|\\partial)\s?\w(?:\^\d)?\s?\}"
)
_MARK = re.compile(r"\^\s?\{\s?(?:(?:\\prime)+|-1)\s?\}")
_PLACES = re.compile(r"_\s?(?:\w|\{[^{}]*\})|(?<=[A-Za-z])\s?\([^()]*\)")
_EXPONENT = re.compile(r"\^\s?(?:\w|\{[^{}]*\})")
_VARIABLE = re.compile(rf"(?<![\\A-Za-z]){_LETTER}")


def is_name(text: str) -> bool:
    """Whether text is a variable, perhaps with an index or arguments: x, C_1, f(x)."""
    return _NAME.fullmatch(text) is not None


def is_quantity(text: str) -> bool:
    r"""Whether text is a name, a derivative or an inverse: x, \frac{dy}{dx}, f^{-1}(x)."""
    if match := _DERIVATIVE.fullmatch(text):
        return match[1] == match[3]
    return is_name(_MARK.sub("", text))


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


def _words_in(text: str) -> list[str]:
    text = re.sub(r"\\text\{([^{}]*)\}", r" \1 ", text)
    return [word for word in re.findall(r"(?<!\\)\b[A-Za-z]+", text) if len(word) > 1]
