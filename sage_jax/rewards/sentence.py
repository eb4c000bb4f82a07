r"""What a statement says: the value at the beginning of the text that follows "the answer is".

Markup and delimiters of mathematics are taken off, and what a sentence goes on with ("so the shelf
is full", "in total") is left out. Whatever may change the value stays: an alternative, a condition,
a second value, a unit. Linear in the text.
"""

import re
from typing import NamedTuple

_DEPTH = 4
_MATHS = (
    (r"\[", r"\]"), (r"\(", r"\)"), ("$$", "$$"),
    (r"\begin{equation}", r"\end{equation}"), (r"\begin{equation*}", r"\end{equation*}"),
)  # fmt: skip
_EMPHASIS = ("**", "__", "`", "*", "_")
_FENCE = re.compile(r"```[A-Za-z]{0,12}\n([^`]*)\n\s{0,3}```")
# As Pandoc tells mathematics from money: "$1,937.00 and $5" opens no mathematics.
_DOLLARS = re.compile(
    r"\$(?=[^\s$])((?:[^$\\]|\\.)+)(?<!\s)\$(?!\d)|\$\s((?:[^$\\]|\\.)+)(?<=\s)\$(?!\d)", re.DOTALL
)
_STRAY = re.compile(r"(?<![\w)])(?:\*\*|__|`)|(?:\*\*|__|`)(?![\w(])|\\[()]")
_SENTENCE_END = re.compile(r"\.(?=[\s*_`\"'”’)]|$)|[\n。]")
# "C. 37" and "A. B. C." go on; "C. The others are too small." ends after the letter.
_LABELS = re.compile(
    r"(?:[*_]{0,2}[(\[]?[A-Za-z][)\].:]{1,2}[*_]{0,2}\s{0,4}"
    r"(?=[*_]{0,2}[-+\d$\\(]|[*_]{0,2}[A-Z](?:[).,:]|\s|$)))+"
)
_OPTION = re.compile(r"(?:option|choice|letter)\s(?=[*$\\(]{0,3}[A-Za-z]\b)", re.IGNORECASE)
_GOES_ON = re.compile(
    r"(?:[,;]|\s?[—(]|\s--?)\s{0,3}(?:(?:and\s)?(?:so|thus|hence|therefore)\s(?=[a-z])|since\b|because\b"
    r"|which\b|as\s(?=[a-z])|meaning\b|where\s\S{1,12}\s(?:is|are|denotes)\b|and\s(?:we|this)\b|not\s(?=[\d$\\*(-]))"
    r"|\s(?:because|since|which|(?:and\s)?(?:thus|hence|therefore)(?=\s[a-z])"
    r"|(?:and\s)?so\s(?:that|the|this|we|it|there|she|he|they|all)"
    r"|as\s(?:the|this|it|we|there|required|desired|expected|claimed|shown|needed|wanted|above))\b",
    re.IGNORECASE,
)
_OWN = r"(?:the|this|that|his|her|their|its|our|my)"
_NOT_AN_ASIDE = (
    r"(?!\w{0,20}(?:least|most|minim|maxim|base|power|first|second|third|other|case|worst|best"
    r"|or\b|and\b|not\b|ratio|order|form))"
)
_ASIDE = re.compile(
    r"\s(?:in\s(?:total|all)|altogether|overall|total|long|old|tall|wide|high|deep|away|left"
    r"|remaining|apart"
    rf"|(?:in|on|of|for|from)\s{_OWN}(?:\s{_NOT_AN_ASIDE}[A-Za-z'’]{{1,20}}){{1,4}})$",
    re.IGNORECASE,
)
_SAYS_NOTHING = re.compile(r"[^\w%?^°/\\+(-]*")
_OPENS_PROSE = re.compile(r"[A-Z][a-z]{0,20}\s")
_VERB = re.compile(
    r"\s(?:is|are|was|were|has|have|had|equals|holds|contains|costs|takes|needs|gets|makes|earns)"
    r"\s(?:exactly\s)?(?=\*\*|\$|\\[(])"
)
_NOT_PLAIN = re.compile(
    r"\d|\b(?:not?|never|if|unless|half|twice|double|times|than|or|and|neither|either|cannot|square"
    r"|root|inverse|reciprocal|negative|perhaps|maybe|other|wrong|remainder|sum|part)\b|n['’]t\b",
    re.IGNORECASE,
)
_BULLET = re.compile(r"[-*•+]\s{1,4}(?=\S)")


class Said(NamedTuple):
    """A statement taken apart.

    Attributes:
        answer: the value, "" if there is none.
        more: what its sentence goes on with, which does not belong to the value.
        rest: what follows the sentence.
    """

    answer: str
    more: str
    rest: str


def said(text: str) -> Said:
    r"""Take apart what follows an announcement.

    >>> said("**37** pages, so the shelf is full. We check.")
    Said(answer='37 pages', more=', so the shelf is full', rest=' We check.')
    >>> said("\\[\n37\n\\]").answer, said("37 or 38.").answer, said("$1,937.00 in total").answer
    ('37', '37 or 38', '$1,937.00')
    """
    listed = _listed(text.lstrip())
    return listed or _said(text.lstrip(), _DEPTH)


def in_prose(text: str) -> Said | None:
    """Take apart a sentence around its one value, marked as such: "Ada has **37** pages".

    >>> in_prose("Ada has **37** pages.").answer, in_prose("Twice that is **74**.")
    ('37 pages', None)
    """
    sentence = text[: _sentence_end(text, behind_value=True)]
    verb = _VERB.search(sentence)
    if verb is None or not _OPENS_PROSE.match(text) or _NOT_PLAIN.search(sentence[: verb.start()]):
        return None
    value = span(text[verb.end() :])
    if value is None or not re.search(r"\d", value[0]):
        return None
    return _said(text[verb.end() :], _DEPTH)


def _said(text: str, depth: int) -> Said:
    value, after = ("", text) if depth == 0 else _opening_span(text, depth)
    end = _sentence_end(after, bool(value))
    sentence, rest = after[:end], after[end:].removeprefix(".")
    if value and _SAYS_NOTHING.fullmatch(sentence):
        sentence = ""
    going_on = _GOES_ON.search(sentence)
    kept, more = (
        (sentence[: going_on.start()], sentence[going_on.start() :]) if going_on else (sentence, "")
    )
    return Said(_without_asides(_plain(value + kept)), more, rest)


def _opening_span(text: str, depth: int) -> tuple[str, str]:
    """What stands in the markup or the mathematics that a text begins with, and what follows."""
    inside, after = span(text) or ("", text)
    if not inside:
        return "", text
    if text.startswith(_EMPHASIS) or text.startswith("```"):
        inner = _said(inside.strip(), depth - 1)
        return ("", text) if inner.rest.strip() else (inner.answer, inner.more + after)
    nested = span(inside.strip())
    return (nested[0].strip() if nested and not nested[1] else inside.strip()), after


def span(text: str) -> tuple[str, str] | None:
    r"""Split text that begins with mathematics, emphasis or a fence into its inside and the rest.

    >>> span(r"\(37\) pages"), span("**37** pages"), span("$5 or $6"), span("37")
    (('37', ' pages'), ('37', ' pages'), None, None)
    """
    if found := _FENCE.match(text) or _DOLLARS.match(text):
        return next(group for group in found.groups() if group is not None), text[found.end() :]
    for opening, closing in (*_MATHS, *((mark, mark) for mark in _EMPHASIS)):
        if text.startswith(opening):
            inside, closed, after = text[len(opening) :].partition(closing)
            emphasis = opening == closing and opening != "$$"
            if not closed or not inside.strip() or (emphasis and _broken(inside, opening)):
                return None
            return inside, after
    return None


def _broken(inside: str, mark: str) -> bool:
    return "\n" in inside or (len(mark) == 1 and inside[0].isspace())


def _sentence_end(text: str, behind_value: bool) -> int:
    labels = None if behind_value else _LABELS.match(text)
    found = _SENTENCE_END.search(text, labels.end() if labels else 0)
    return found.start() if found else len(text)


def _plain(text: str) -> str:
    text = _STRAY.sub(" ", text).strip().strip("*_").strip()
    return _OPTION.sub("", text, count=1) if _OPTION.match(text) else text


def _without_asides(text: str) -> str:
    """Leave out "in total" and "of the book" behind a number."""
    for _ in range(3):
        aside = _ASIDE.search(text)
        if aside is None or not re.search(r"\d", text[: aside.start()]):
            break
        text = text[: aside.start()].rstrip(", ")
    return text


def _listed(text: str) -> Said | None:
    """Bullets, one value each, are a list; a lone dash before a number may be a minus."""
    block, blank, rest = text.partition("\n\n")
    lines = block.strip().split("\n")
    if not all(_BULLET.match(line.lstrip()) for line in lines):
        return None
    bare = [_BULLET.sub("", line.lstrip(), count=1) for line in lines]
    if (
        len(lines) == 1
        and lines[0].lstrip()[0] in "-+"
        and (bare[0][0].isdigit() or bare[0][0] == ".")
    ):
        return Said("", "", blank + rest)
    items = [_said(line, _DEPTH) for line in bare]
    return Said(
        ", ".join(item.answer for item in items), "".join(i.more for i in items), blank + rest
    )
