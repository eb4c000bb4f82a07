r"""What of a statement counts when two are compared: its words, its particulars, what it asks.

`plain` brings a statement into one way of writing; all others take what it gives.
"""

import re
import unicodedata

from sage_jax.data.escapes import with_escapes_read, with_form_feeds_read

_CHARACTERS = str.maketrans(
    {"−": "-", "–": "-", "—": "-", "×": "*", "∙": "·", "⋅": "·", "’": "'", "‘": "'"}
    | {digit: f"^{value}" for value, digit in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")}
)
_COMMANDS = {
    **dict.fromkeys(("dfrac", "tfrac", "cfrac"), r"\frac"),
    **dict.fromkeys(("le", "leq", "leqslant"), "≤"),
    **dict.fromkeys(("ge", "geq", "geqslant"), "≥"),
    **dict.fromkeys(("ne", "neq"), "≠"),
    **dict.fromkeys(("dots", "ldots", "cdots", "dotsc", "dotsb", "dotsm"), "..."),
    **dict.fromkeys(("times", "ast"), "*"),
    **dict.fromkeys(("vert", "mid", "lvert", "rvert"), "|"),
    "cdot": "·",
    "circ": "°",
}
_SILENT = {
    *("left", "right", "big", "Big", "bigg", "Bigg", "bigl", "bigr", "displaystyle", "textstyle"),
    *("limits", "quad", "qquad", "thinspace", "text", "textbf", "textit", "textrm", "emph", "mbox"),
    *("mathrm", "mathbf", "mathit", "operatorname", "begin", "end"),
}
_COMMAND = re.compile(
    r"\\([A-Za-z]+)|\\[,;:!() \[\]]|\\(?=[%$#&])|[$~]|\{,\}|(?<=\d),(?=\d{3}(?!\d))"
)
_HAN = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3\uf900-\ufaff"
_WORD = re.compile(rf"[{_HAN}]|[^\W\d_{_HAN}]+|\d+")
_PART = re.compile(rf"\\[A-Za-z]+|[^\W\d_{_HAN}]+|\d+|[-+*·/=<>^|!%°≤≥≠]")
_FIGURE = re.compile(r"\[asy\].*?\[/asy\]", re.DOTALL)
_SENTENCE = re.compile(r"(?<=[.?!。？！])(?=\s|[A-Z]|\Z)")
_SUM = r"[( ]*[a-z](?:\^\d)?(?:\s*[-+*]\s*[a-z](?:\^\d)?)+"
_ANSWER = re.compile(
    r"\banswers?\b|relatively prime|coprime|lowest terms|simplest form|square of any prime"
    r"|square-?free|(?:written|expressed) (?:\w+ )?(?:in the form|as)"
    rf"|(?:find|compute|determine|calculate|what is)(?: the value of)?{_SUM}|答案|格式|互质",
    re.IGNORECASE,
)


def plain(text: str) -> str:
    r"""A statement in one way of writing.

    The same are `$x$`, `\(x\)` and `x`; `\dfrac` and `\frac`; `\left(` and `(`; `\,`, `~` and a
    blank; `\text{cm}` and `{cm}`; 1,000 and 1000; what is one character under Unicode's NFKC; and
    a form feed with `rac` behind it and `\frac` (see `data.escapes`).

    >>> plain(r"Find  $\dfrac{1}{2}\,x$.") == plain(r"Find \(\frac{1}{2} x\).")
    True
    """
    text = with_escapes_read(with_form_feeds_read(text)).translate(_CHARACTERS)
    return " ".join(_COMMAND.sub(_rewritten, unicodedata.normalize("NFKC", text)).split())


def letters(text: str) -> str:
    """All of a plain statement but case, blanks and its last full stop: equal if it is."""
    return "".join(text.casefold().split()).rstrip(".?!。")


def words(text: str) -> list[str]:
    r"""The words and numbers of a plain statement, in order; of Chinese the characters.

    >>> words(r"Find the area of \triangle ABC, 求")
    ['find', 'the', 'area', 'of', 'triangle', 'abc', '求']
    """
    return _WORD.findall(text.casefold())


def particulars(text: str) -> frozenset[str]:
    r"""What tells a problem from others of its kind: numbers, signs, letters, commands, names.

    That is, of a plain statement all but words with a small letter in them, brackets and
    punctuation, without the code of figures.

    >>> sorted(particulars(r"What is the area of triangle ABC if x + \sin y = 2?"))
    ['+', '2', '=', 'ABC', '\\sin', 'x', 'y']
    """
    return frozenset(filter(_is_particular, _PART.findall(_FIGURE.sub(" ", text))))


def asked(text: str) -> str:
    r"""A plain statement without figures' code and sentences on how the answer is to be written.

    Problems are recast ("... can be written as m/n, find m + n") without being others. The whole
    statement where nothing else is left.

    >>> asked("How long is AB? The answer is in the form m/n. Find m+n.")
    'How long is AB?'
    """
    sentences = _SENTENCE.split(_FIGURE.sub(" ", text))
    left = " ".join(one.strip() for one in sentences if not _ANSWER.search(one)).strip()
    return left if words(left) else text


def _rewritten(found: re.Match[str]) -> str:
    name = found[1]
    if name:
        return " " if name in _SILENT else _COMMANDS.get(name, found[0])
    return "" if "," in found[0] and found[0] != r"\," else " "


def _is_particular(part: str) -> bool:
    if part in ("a", "A", "I"):  # Articles more often than letters.
        return False
    return len(part) == 1 or part[0] == "\\" or not any(map(str.islower, part))
