r"""The answer that a text without a box states: by a phrase, under a heading, or in its tags.

An announcement is one of

    phrase     "the answer is 7", "Answer: 7", "the correct option is C", "#### 7", "答案是 7"
    heading    a line of its own, such as **Final Answer** or ### Answer, and the value below it
    tags       <answer>7</answer>

The last one counts, unless it is doubted before ("if the answer is", "Bob's answer is"), quoted
(behind ">"), or taken back after ("Wait, no", another value on a line of its own). Linear in the
text, which is short.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from sage_jax.rewards.sentence import Said, in_prose, said

_LONGEST = 2_000  # within tags; beyond it nothing is an answer
_TAGS = re.compile(r"<(?P<closes>/?)(?:final[_ -]?)?answer\s{0,4}>", re.IGNORECASE)
_SPECIAL = re.compile(r"(?:<[|｜][^<>\n]{1,40}[|｜]>|</s>|<end_of_turn>|<eos>)\s{0,8}\Z")
_INLINE = re.compile(r"</?(?:b|strong|em|i|u|code|p|span|br|mark|center)\s{0,3}/?>", re.IGNORECASE)

_NOUN = r"(?:answer|(?:final|correct|right|best)\s(?:option|choice|result|value))"
_OF = r"(?:\s(?:to|for|of)(?:\s[\w'’()-]{1,20}){1,6}?)?"
_IS = (
    r"(?:\s{1,4}|,\s\w{1,12},\s)(?:is|was|equals|becomes|(?:must|should|will|would)\sbe"
    r"|(?:comes|works|turns)\sout\s(?:to\sbe|as|at))\b"
)
_FILLER = (
    r"(?:[,\s]{0,2}\b(?:therefore|thus|hence|then|simply|just|indeed|exactly|clearly|equal\sto"
    r"|given\sby|the\s(?:number|value|option|choice)|as\sfollows|below)\b,?){0,3}"
)
_CLOSED = r"(?:\*\*|__|\*|_)?"  # of bold that the announcement itself stands in
_PHRASE = re.compile(
    rf"\b{_NOUN}{_OF}{_IS}{_FILLER}(?:\s{{0,4}}:)?"
    rf"|\b(?:{_NOUN}|ans)(?:\s\([^()\n]{{1,40}}\))?{_CLOSED}[ \t]{{0,4}}[:=：]"
    rf"|(?<!#)####(?!#)|答案(?:应该?)?(?:是|为|[:：])",
    re.IGNORECASE,
)
_HEADING = re.compile(
    r"(?:(?:step\s)?\d{1,2}\s?[.:)]\s?[*_]{0,2})?(?:so\s|so,\s)?(?:the\s|my\s|our\s)?"
    r"(?:final\s|correct\s|overall\s)?(?:answer|final\sresult)(?:\s\([^()]{1,40}\))?"
    r"|\\(?:section|subsection|textbf|paragraph)\*?\{(?:final\s)?answer:?\}|最终答案|答案",
    re.IGNORECASE,
)
_RULE = re.compile(r"(?:\s{0,4}\n?\s{0,3}[-=*_]{3,40}\s{0,8}(?=\n))?")
_NUMBERED = re.compile(r"\s{0,8}\n\s{0,8}1[.)]\s{1,8}\S")
_WORDS_FIRST = re.compile(r"\s{0,8}[*_]{0,2}[A-Za-z]{2}")

_DOUBTED = re.compile(
    r"\b(?:not|never|doubt\w*|cannot|maybe|perhaps|possibly|probably|likely|might|guess)\b|n['’]t\b"
    r"|(?:['’]s|\b(?:wrong|incorrect|other|another|previous|alternative|intermediate|initial|partial"
    r"|tempting|naive|common|expected|your|his|her|their|first|second|earlier|original|old|student"
    r"|possible))\s(?:final\s|own\s|wrong\s)?$"
    r"|\b(?:if|whether|suppose|supposing|assume|assuming|unless|imagine|pretend|says?|said|claims?"
    r"|claimed|wrote|writes|thinks|thought|of|than|about|from|plus|minus|twice|double|half|times)"
    r"(?:\sthat)?(?:\s(?:the|my|our))?(?:\s(?:final|correct|right))?\s?$",
    re.IGNORECASE,
)
_TAKEN_BACK = re.compile(
    r"\b(?:no|not|wait|wrong|incorrect|mistake|actually|instead|but|however|rather|or|oops|sorry"
    r"|hmm?|correction|recheck|reconsider|hold\son|scratch\sthat|should\s(?:be|have)|apologies"
    r"|alternatively|unsure|doubt|error)\b|不对|错",
    re.IGNORECASE,
)
_TAKEN_BACK_BY_REASON = re.compile(
    r"\b(?:wait|wrong|incorrect|mistake|actually|instead|but|however|rather|oops|sorry|hmm?)\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_LETTER = re.compile(r"[\W_]*([A-Za-z])[\W_]*")
_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2}")
_ABOUT_ITSELF = re.compile(r"(?:correct|right|reasonable|unique|clear|consistent|verified)\b", re.I)


class _Announcement(NamedTuple):
    start: int
    end: int
    strict: bool  # what may be quoted, so that nothing else may follow


class Tagged(NamedTuple):
    """What the last tags hold.

    Attributes:
        start: where they open.
        answer: what they say, or None if it is taken back, inside them or after them.
    """

    start: int
    answer: str | None

    @property
    def is_value(self) -> bool:
        """Whether they hold an answer and not a sentence around one."""
        answer = self.answer or ""
        prose = _WORD.match(answer) and len(_WORD.findall(answer)) > 2
        return bool(answer and not prose)


def stated(text: str) -> str | None:
    """Return what the end of a text states as its answer, or None.

    >>> stated("The answer is 7."), stated("**Final Answer**\\n\\n7"), stated("Answer: `7`")
    ('7', '7', '7')
    >>> stated("The answer is 7. Wait, no."), stated("It is 7.")
    (None, None)
    """
    text = _INLINE.sub("", _SPECIAL.sub("", text))
    for found in sorted(_announcements(text), key=lambda found: found.end, reverse=True):
        below = _below(text, found)
        if _NUMBERED.match(below):
            continue
        statement = said(below)
        if not statement.answer or _ABOUT_ITSELF.match(statement.answer):
            continue
        if _is_title(text, found, statement):
            continue
        lone = in_prose(below.lstrip())
        taken_back = _taken_back(lone or statement, strict=found.strict or lone is not None)
        doubted = taken_back or _doubted(text, found.start)
        return None if doubted else (lone or statement).answer
    return None


def tagged(text: str) -> Tagged | None:
    """The last `<answer>...</answer>` that is not empty; None without any.

    >>> tagged("<answer>37</answer>"), tagged("<answer>37")
    (Tagged(start=0, answer='37'), None)
    """
    opened, last = None, None
    for tag in _TAGS.finditer(text):
        if not tag["closes"]:
            opened = tag
        elif opened is not None:
            inside = text[opened.end() : tag.start()].strip()
            last, opened = ((opened.start(), inside, tag.end()) if inside else last), None
    if last is None:
        return None
    start, inside, end = last
    statement = _in_tags(inside)
    rest = statement.rest + "\n\n" + _SPECIAL.sub("", text[end:])
    taken_back = opened is not None or _taken_back(statement._replace(rest=rest), strict=True)
    return Tagged(start, None if taken_back else statement.answer or None)


def _in_tags(inside: str) -> Said:
    if len(inside) > _LONGEST:
        return Said(inside, "", "")
    statement = in_prose(inside) or said(_joined(inside))
    if _WORD.search(statement.answer) and (found := stated(inside)):
        return Said(found, "", "")
    return statement


def _joined(inside: str) -> str:
    """Values on lines of their own are several."""
    lines = [line.strip() for line in inside.split("\n") if line.strip()]
    several = len(lines) > 1 and not re.match(r"\\\[|\$\$|```|\\begin|[-*•+]\s", lines[0])
    return ", ".join(lines) if several else inside


def _announcements(text: str) -> Iterator[_Announcement]:
    for phrase in _PHRASE.finditer(text):
        line = text[text.rfind("\n", 0, phrase.start()) + 1 : phrase.start()]
        if not line.lstrip().startswith(">"):
            yield _Announcement(phrase.start(), phrase.end(), strict=False)
    end = 0
    for line in text.split("\n"):
        start, end = end, end + len(line) + 1
        if _is_heading(line):
            yield _Announcement(start, min(end, len(text)), strict=True)


def _is_heading(line: str) -> bool:
    if len(line) > 80 or line.lstrip().startswith(">"):
        return False
    bare = re.sub(r"^[^\w\\(\"'“‘`]+|[^\w)}\"'”’`]+$", "", line)
    return _HEADING.fullmatch(bare) is not None


def _below(text: str, found: _Announcement) -> str:
    """What the announcement announces; the end of its own markup is left out."""
    below = text[found.end :]
    below = re.sub(rf"\A{_CLOSED}(?=\s|\$|\\|\Z)|\A[*_]{{1,2}}:", "", below, count=1)
    return "\n" + _RULE.sub("", below, count=1) if found.strict else below


def _is_title(text: str, found: _Announcement, statement: Said) -> bool:
    """Whether "####" begins the title of a section rather than an answer."""
    hashes = text.startswith("####", found.start)
    return hashes and bool(_WORDS_FIRST.match(text[found.end :])) and bool(statement.rest.strip())


def _doubted(text: str, start: int) -> bool:
    """Whether the clause before an announcement makes it no statement of the text itself."""
    before = re.split(r"[.,;:!?\n]", text[max(0, start - 100) : start])[-1]
    line = text[text.rfind("\n", 0, start) + 1 : start]
    quoted = line.count('"') % 2 == 1 or line.count("“") > line.count("”")
    return quoted or _DOUBTED.search(before) is not None


def _taken_back(statement: Said, *, strict: bool) -> bool:
    if _TAKEN_BACK.search(statement.rest) or _TAKEN_BACK_BY_REASON.search(statement.more):
        return True
    others = statement.rest if strict else "\n".join(_bare_lines(statement.rest))
    numbers, here = _NUMBER.findall(others), _NUMBER.findall(statement.answer)
    if numbers and numbers[-1] not in here:
        return True
    letters = [found[1] for line in _bare_lines(others) if (found := _LETTER.fullmatch(line))]
    here_letter = _LETTER.match(statement.answer)
    return bool(letters) and (here_letter is None or letters[-1] != here_letter[1])


def _bare_lines(text: str) -> list[str]:
    """Lines without words, which can only be values."""
    return [line for line in text.split("\n") if line.strip() and not _WORD.search(line)]
