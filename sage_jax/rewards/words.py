"""Answers in words: what they are, what means the same, and letters that are a product instead."""

import re
from collections import Counter

_TEXT = re.compile(r"\\text\{([^{}]*)\}")
_LETTERS = re.compile(r"[A-Za-z][A-Za-z '.-]*")
_ARTICLE = re.compile(r"^(?:an?|the) (?=[a-z]{3})")
# A line for each meaning; what stands first is how it is read.
_PHRASES = r"""
\emptyset | no solution | no solutions | there is no solution | there are no solutions | empty set
\infty | infinity | positive infinity | plus infinity
-\infty | negative infinity | minus infinity
(-\infty,\infty) | all real numbers | all reals | all real numbers x | the real numbers | the reals
dne | does not exist | doesn't exist | the limit does not exist | limit does not exist
undefined | not defined | is undefined | is not defined
infinitely many | infinitely many solutions | infinite solutions | an infinite number of solutions
true | is true | the statement is true
false | is false | the statement is false
yes | yes it is
no | no it is not | no it isn't
"""
_MEANING = {
    phrase: line.split(" | ")[0]
    for line in _PHRASES.strip().split("\n")
    for phrase in line.split(" | ")
}
# Words of two letters; the first line are answers often enough to be no product of letters ever.
_ANSWERS = frozenset(("no", "up", "on", "ne", "nw", "se", "sw"))
_SHORT = _ANSWERS | {"in", "at", "to", "so", "is", "it", "us", "of", "or", "if", "am", "pm", "ok"}
_VOWELS = frozenset("aeiou")
_NO_VOWEL = frozenset(("dry", "sky", "fly", "try", "why", "cry", "shy", "sly", "spy", "gym", "nth"))
_IN_ORDER = "abcdefghijklmnoxyzstuvwxyz"
_AXES = re.compile(r"a?b?c?d?[x-z]{1,3}")
_TIMES = re.compile(r"\s?(?:\\cdot|\\times|\*)\s?")


def as_words(text: str) -> str | None:
    r"""The words of a text that holds nothing else, in lower case; None otherwise.

    >>> as_words(r"\text{(B)}"), as_words("Evelyn"), as_words("x+1")
    ('b', 'evelyn', None)
    """
    bare = _bare(text)
    if bare is None:
        return None
    return _ARTICLE.sub("", re.sub(r"(?<=\w)-(?=\w)|\s+", " ", bare.casefold()).strip(" ."))


def meaning(text: str) -> str | None:
    r"""What an answer in words stands for, as it is read; None where it is no such phrase.

    >>> meaning(r"\text{No solution}"), meaning("does not exist"), meaning("x")
    ('\\emptyset', 'dne', None)
    """
    words = as_words(text.replace(",", " ")) if len(text) < 80 else None
    return None if words is None else _MEANING.get(words, _MEANING.get(words.removeprefix("the ")))


def are_short_words(gold: str, answer: str) -> bool:
    """Whether two letters are words, such as no and on, and not a product of letters."""
    return gold.casefold() in _ANSWERS or {gold.casefold(), answer.casefold()} <= _SHORT


def same_words(gold: str, answer: str) -> bool:
    r"""Whether two texts of words alone are the same.

    A single letter counts as written unless the gold marks it as text: C is not c. Two letters do
    unless they are a known word.

    >>> same_words("no", r"\text{No}"), same_words("C", r"\text{C}"), same_words("r", r"\text{R}")
    (True, True, False)
    """
    one, other = _bare(gold), _bare(answer)
    if one is None or other is None or as_words(gold) != as_words(answer):
        return False
    if is_product(one) and one == gold:
        return one == other
    return r"\text" in gold or len(one) > 2 or one.casefold() in _SHORT or one == other


def _bare(text: str) -> str | None:
    text = _TEXT.sub(r" \1 ", text).strip(" .")
    if text.startswith("(") and text.endswith(")"):
        text = text[1:-1].strip(" .")
    return text.strip() if _LETTERS.fullmatch(text) else None


def is_product(text: str) -> bool:
    """Whether three letters and more are a product of variables rather than a word.

    Without a vowel (xyz, mgh), with a capital inside (nRT, qvB), in the order of the alphabet
    (abc), or of axes (axy). A name (Eve) and a word (even) are none, nor are capitals alone, which
    name figures and orders (ACB).

    >>> [is_product(text) for text in ("xyz", "nRT", "abc", "Eve", "even", "ACB")]
    [True, True, True, False, False, False]
    """
    if not re.fullmatch(r"[A-Za-z]{3,8}", text) or text in _NO_VOWEL:
        return False
    if not text.islower():
        return not text.isupper() and not text[1:].islower()
    plain = not _VOWELS & set(text)
    return plain or text in _IN_ORDER or _AXES.fullmatch(text) is not None


def same_product(gold: str, answer: str) -> bool:
    r"""Whether an answer multiplies the same letters as the gold, in any order.

    Signs of multiplication make a product of what could be a figure's name: A\cdot B\cdot C.

    >>> same_product("xyz", "zyx"), same_product("xyz", r"x \cdot y \cdot z")
    (True, True)
    >>> same_product("Eve", "veE"), same_product("xyz", "xy"), same_product("ACB", "ABC")
    (False, False, False)
    """
    factors = _TIMES.split(answer)
    spelt = all(len(factor) == 1 for factor in factors) and len(factors) > 2
    if not (is_product(gold) or (spelt and gold.isupper())):
        return False
    letters = "".join(factors).replace(" ", "")
    return letters.isalpha() and Counter(letters) == Counter(gold)
