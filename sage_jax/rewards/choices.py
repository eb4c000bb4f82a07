r"""Choices: a letter together with its option's value, \textbf{(C)}\ 31 or C. 31."""

import re
from dataclasses import dataclass

_CHOICE = re.compile(
    r"(?:\\text\{\s?)?(?:(?:[Oo]ption|[Cc]hoice|[Aa]nswer)\s?\}?\s?(?:\\text\{\s?)?)?"
    r"(?:\((?P<round>[A-J])\)|(?P<half>[A-J])\s?[).:]|(?P<text>(?<=\{)[A-J])(?=\s?\}))"
    r"(?P<after>\s?[.:]?\s?\}?\s?[:.]?\s?)(?P<value>.*)",
    re.DOTALL,
)
_ALONE = re.compile(
    r"(?:\\text\{\s?)?(?:[Oo]ption|[Cc]hoice)\s?\}?\s?(?:\\text\{\s?)?\(?([A-J])\)?\s?\}?"
    r"|(?:\\text\{\s?)?([A-J])\s?[).]\s?\}?"
)
# Another option inside of the value: the letter of a list of them, or of a set of answers.
_ANOTHER = re.compile(r"\([A-J]\)|(?<![A-Za-z\\])[A-J](?![A-Za-z(_^'])|\\text\{\s?\(?[A-J]\b")


@dataclass(frozen=True)
class Choice:
    """A letter and the text of its value, "" for a letter alone."""

    letter: str
    value: str


def choice_of(text: str) -> Choice | None:
    r"""Read tidied text as a choice; None if it is none, or names several letters.

    >>> choice_of(r"\text{(C)} 31"), choice_of("C) 31"), choice_of("(A)(B)(C)")
    (Choice(letter='C', value='31'), Choice(letter='C', value='31'), None)
    """
    if match := _ALONE.fullmatch(text):
        return Choice(match[1] or match[2], "")
    match = _CHOICE.fullmatch(text)
    if match is None:
        return None
    value = match["value"].strip()
    if "{" in match[0][: match.start("value")] and "}" not in match["after"]:
        value = rf"\text{{{value}"  # the words go on inside of \text{C. even}
    letter = match["round"] or match["half"] or match["text"]
    if not value or _ANOTHER.search(value) or not _parted(text, match):
        return None
    return Choice(letter, value)


def _parted(text: str, match: re.Match[str]) -> bool:
    r"""Whether the letter stands off its value: (A) 3 and \text{(A)}3, not the product (A)(x+1)."""
    return bool(match["after"]) or match["value"][:1].isdigit() or match["value"][:1] in "\\$-"
