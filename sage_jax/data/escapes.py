r"""Texts that lost characters on the way here: what is certain of them is read as it was meant.

LaTeX that passed through a program which reads `\f`, `\t`, `\b` and their like as one character
lost the beginnings of its commands: of `\frac{1}{2}` a form feed and `rac{1}{2}` is left. And in
the fonts of TeX the ligatures `ff` and `fi` have the places of vertical tab and form feed: text
copied from a page has these instead of the letters, or beside them. What stands behind such a
character must be the rest of a command, or of a word, and no word of its own.
"""

import re

_RESTS = {
    "f": "rac|orall|lat|box|rak",
    "t": r"imes|heta|riangle(?:left|right|q)?|au|herefore|(?:frac|binom)(?=\s*[{\d])"
    r"|(?:ext(?:bf|it|rm|sf|tt)?|ilde)(?=\s*\{)",
    "b": "eta|egin|inom|ar|f|ig[lrg]?|igcup|igcap|oxed|oldsymbol|ullet|mod|ecause|ackslash",
    "v": "ec|ert|ar(?:phi|epsilon|theta|triangle)|dots|ee|phantom",
    "a": "lpha|ngle|pprox|rc(?:sin|cos|tan)|st|rray",
    "r": r"ho|ightarrow|ight(?=\s*[])}|.\\>])|(?:floor|ceil|angle)(?=\s*[$\\)}])",
    "n": r"abla|otin|eq(?=\s*(?:[-\\\d]|[A-Za-z]\b))",
}
_CHARACTERS = {"f": "\f", "t": "\t", "b": "\b", "v": "\v", "a": "\a", "r": "\r", "n": "\n"}
_EATEN = {
    name: re.compile(f"{_CHARACTERS[name]}(?=(?:{rests})(?![A-Za-z]))")
    for name, rests in _RESTS.items()
}
_DOUBLED = re.compile("(?<=fi)\f(?=[a-z])|\f(?=fi)")
_LOST = re.compile(
    "(?<![A-Za-z])\f(?=(?:nd|nds|nding|rst|ve|fth|gures?|nal|nite|lled|tting|xed)(?![A-Za-z]))"
    "|(?<=[a-z])\f(?=(?:ne|nes|ned|nite|nition|es|ed)(?![A-Za-z]))"
)
_BESIDE_BLANKS = re.compile(r"(?:(?<=\s)|\A)\f+|\f+(?=\s|\Z)")


def with_form_feeds_read(text: str) -> str:
    r"""A text without form feeds: `\f` of a command, `fi` of a word, or a blank.

    >>> with_form_feeds_read("\x0crac{1}{2} of the \x0crst fi\x0cve")
    '\\frac{1}{2} of the first five'
    """
    if "\f" not in text:
        return text
    text = _LOST.sub("fi", _DOUBLED.sub("", _EATEN["f"].sub(r"\\f", text)))
    return re.sub("\f+", " ", _BESIDE_BLANKS.sub("", text))


def with_escapes_read(text: str) -> str:
    r"""A text with its other commands whole again: `\t`, `\b`, `\v`, `\a`, `\r` and `\n`.

    >>> with_escapes_read("2 \times 3, \x08eta, \nabla f, a\tb")
    '2 \\times 3, \\beta, \\nabla f, a\tb'
    """
    for name, eaten in _EATEN.items():
        if name != "f" and _CHARACTERS[name] in text:
            text = eaten.sub(rf"\\{name}", text)
    return re.sub("\v(?=ff)|(?<=ff)\v(?=[a-z])", "", text)
