r"""Gold answers: what a data file means by them, and whether any natural answer can equal them.

A gold always equals its own copy, letter for letter; that says nothing of whether a model could
ever earn the reward. Here a gold is taken apart, and each part must be one that the verifier reads:
a number, words, or an expression that the library can parse. Linear in the text.
"""

import re
from collections.abc import Iterator

from sage_jax.rewards.boxes import unnested
from sage_jax.rewards.names import is_name
from sage_jax.rewards.reading import EXPRESSION, OTHER, WORDS, Reading, read
from sage_jax.rewards.tidy import tidy

LONGEST_WORDS = 8
"""Words of a gold that is words; more are a sentence, which nobody writes twice."""

_HASHES = re.compile(r"####\s{0,4}(?=\S)")
_WRAPPED = re.compile(
    r"\*\*(?P<bold>[^*\n]+)\*\*|__(?P<strong>[^_\n]+)__|`(?P<code>[^`\n]+)`"
    r"|<answer>(?P<tagged>[^<>]+)</answer>",
    re.IGNORECASE,
)
_OF_A_MODULE = re.compile(
    r"\b(?:np|numpy|math|sp|sympy)\."
    r"(arcsin|arccos|arctan|sinh|cosh|tanh|sin|cos|tan|sqrt|exp|log|pi)(?![A-Za-z0-9_])"
)
# "none", "no solution", "undefined" and "DNE" are answers; these stand where one is missing.
_PLACEHOLDERS = frozenset(
    """
n/a|na|n.a.|nan|null|nil|none given|no answer|not available|not applicable|unknown|tbd|todo|omitted
proof|a proof|see proof|prove|qed|q.e.d.|see solution|see the solution|see above|see below
see explanation|see image|see figure|answer|the answer|placeholder|missing|?|??|???|-|--|.|..|...|_
""".strip()
    .replace("\n", "|")
    .split("|")
)
_FOREIGN = {
    "several lines": re.compile(r"\n\s{0,80}\S"),
    "GSM8K's annotations": re.compile(r"<<|####"),
    "HTML": re.compile(r"&(?:[a-zA-Z]{2,8}|#\d{1,6});|</?[a-zA-Z]{1,10}\s{0,4}/?>"),
    "Markdown": re.compile(r"\*\*\S[^*]*\*\*\s|```|^#{1,6}\s"),
}
_KNOWN = r"(?:frac|sqrt|pi|cdot|times|sin|cos|tan|cot|sec|csc|arcsin|arccos|arctan|ln|log|exp)"
_UNKNOWN_COMMAND = re.compile(rf"\\(?!{_KNOWN}(?![a-zA-Z]))[a-zA-Z]+")
_RUN = r"(?<![\\A-Za-z])(?!(?:sin|cos|tan|cot|sec|csc|log|exp|sqrt)\b)[A-Za-z]"
_WORDLIKE = re.compile(
    rf"\\(?:text|operatorname|mathop)|{_RUN}{{3,}}\W{{0,8}}\s\W{{0,8}}(?:{_RUN}{{2}}|\d)"
    rf"|(?:{_RUN}{{2,}}|\d)\W{{0,8}}\s\W{{0,8}}{_RUN}{{3,}}|[\"@#`~?]|\d:\d\d\s?[apAP]"
)
_NO_WORDS = re.compile(r"\\(?:begin|end)\{[a-zA-Z*]{1,20}\}|_\s?\{?\s?\\text\s?\{[^{}]*\}\s?\}?")
_STYLED = re.compile(r"\\(?:text|operatorname)\s?\{([^{}]*)\}")
_CHOICE = re.compile(r"\\text\{\s?\(?([A-J])\)?[.:)]?\s?\}\s?(?=\S)|\(([A-J])\)\s?(?=\d)")


def bare(gold: str) -> str:
    r"""Take off what a data file wraps around an answer.

    >>> bare("#### 1,236"), bare("**12**"), bare(r"\boxed{12}"), bare("np.arcsin(1/3)")
    ('1,236', '12', '12', '\\arcsin(1/3)')
    """
    gold = _HASHES.sub("", gold.strip(), count=1) if gold.count("####") == 1 else gold
    if wrapped := _WRAPPED.fullmatch(gold.strip()):
        gold = next(inside for inside in wrapped.groups() if inside is not None)
    return unqualified(unnested(gold))


def unqualified(text: str) -> str:
    r"""Leave out the module before a function's name.

    >>> unqualified("np.arcsin(1/3)")
    '\\arcsin(1/3)'
    """
    return _OF_A_MODULE.sub(r"\\\1", text)


def why_not(gold: str) -> str | None:
    r"""Say why no natural answer can equal a gold, where that needs no mathematics; else None.

    >>> why_not("N/A"), why_not("x&lt;2"), why_not("12")
    ('a placeholder, and not an answer', 'holds HTML', None)
    """
    gold = bare(gold)
    if re.sub(r"\\text\{([^{}]*)\}|[\s$]+", r"\1 ", gold).strip(" .").casefold() in _PLACEHOLDERS:
        return "a placeholder, and not an answer"
    for name, pattern in _FOREIGN.items():
        if pattern.search(gold.strip()):
            return f"holds {name}"
    parts = list(_parts(gold))
    if any(part.kind == WORDS and len(part.bare.split()) > LONGEST_WORDS for part in parts):
        return f"a sentence of over {LONGEST_WORDS} words"
    if any(part.kind == OTHER and is_wordlike(part.text) for part in parts):
        return "words within mathematics"
    return None


def expressions(gold: str) -> list[str]:
    r"""The parts of a gold that are mathematics, which only the library can say that it reads.

    Left out is what has one spelling (a name, `\infty`, `\triangle ABC`), and what would be work
    to evaluate (`\sum`, `\int`).

    >>> expressions(r"(2\sqrt{3}, \infty)"), expressions(r"\sum_{i=1}^n b_i"), expressions("42")
    (['2\\sqrt{3}'], [], [])
    """
    unsettled = [part for part in _parts(bare(gold)) if not _is_settled(part)]
    return [part.text if is_wordlike(part.bare) else part.bare for part in unsettled]


def is_wordlike(expression: str) -> bool:
    """Whether an expression holds words, a time of day or characters that mathematics has not."""
    return _WORDLIKE.search(_NO_WORDS.sub("", expression)) is not None


def other_spelling(expression: str) -> str:
    r"""The same answer as a model might write it too, so that its copy is not all that equals it.

    Of a choice with its value the letter, of words another style and case, of mathematics a sum.

    >>> other_spelling("x+1"), other_spelling(r"\text{(C)} 27"), other_spelling(r"\text{6:15 pm}")
    ('0 + x+1', 'C', '6:15 PM')
    """
    if choice := _CHOICE.match(expression):
        return choice[1] or choice[2]
    if is_wordlike(expression):
        plain = _STYLED.sub(lambda words: words[1].upper(), expression)
        return expression.upper() if plain == expression else plain
    return f"0 {expression}" if expression[:1] in "+-" else f"0 + {expression}"


def _parts(gold: str) -> Iterator[Reading]:
    tidied = tidy(gold)
    return _leaves(read(tidied, is_gold=True)) if tidied else iter(())


def _leaves(reading: Reading) -> Iterator[Reading]:
    if not reading.items:
        yield reading
    for item in reading.items:
        yield from _leaves(item)


def _is_settled(part: Reading) -> bool:
    if part.kind != EXPRESSION or is_name(part.bare):
        return True
    return bool(_UNKNOWN_COMMAND.search(part.bare)) and not is_wordlike(part.bare)
