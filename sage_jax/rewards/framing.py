"""What stands around an answer and is not part of it: "The answer is", a point's name."""

import re

_PREFIX = re.compile(
    r"^\\text\{\s?(?:[A-Za-z]+ ){0,3}(?:answer is|[A-Za-z]{2,}\s?:)\s?\}\s?:?\s?(?=\S)"
    r"|^(?:[Tt]he )?(?:[Ff]inal )?[Aa]nswer is:?\s(?=\S)"
)
_WHOLE = re.compile(
    r"(?P<text>[^,].*?)\s?(?:,|\(|\\text\{\s?,?\s?(?:where|for|with)\s?\})\s?(?:\\text\{\s?(?:where|for|with)\s?\}\s?)?"
    r"(?P<letter>[a-z])\s?\\in\s?\\mathbb\{Z\}\s?\)?"
)
_MINUS = re.compile(r"^(?:\\text\{\s?)?(?:[Nn]egative|[Mm]inus)\s?\}?\s?(?=[\d\\])")
_ABOUT = re.compile(r"\s?\(\s?\\approx[^()]*\)$")
_POINT = re.compile(r"^[ABD-HK-OQ-Z]\s?(?=\((?:[^(),]*,)+[^(),]*\)$)")


def unframed(text: str) -> str:
    r"""Take off what introduces an answer, names its point or its letter, or rounds it.

    >>> unframed(r"\text{Answer: } 42"), unframed("A(1,2)"), unframed(r"\sqrt{2} (\approx 1.4)")
    ('42', '(1,2)', '\\sqrt{2}')
    """
    text = _POINT.sub("", _ABOUT.sub("", _PREFIX.sub("", text)))
    return _for_whole(_MINUS.sub("-", text))


def _for_whole(text: str) -> str:
    r"""Leave out that a letter is any whole number, and call it k: 2n\pi, n \in \mathbb{Z}."""
    match = _WHOLE.fullmatch(text)
    if match is None:
        return text
    return re.sub(rf"(?<![A-Za-z\\]){match['letter']}(?![A-Za-z])", "k", match["text"])
