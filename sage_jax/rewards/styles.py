r"""What changes how an answer looks and not what it says: colour, size, lines, layout, quotes."""

import re

_ONE = r"(?:\[[^\[\]]*\])?\s?\{[^{}]*\}\s?"
_COLOURS = re.compile(
    rf"\\(?:textcolor|color|colorbox){_ONE}|\\fcolorbox\s?\{{[^{{}}]*\}}{_ONE}"
    r"|\\(?:[hv]?phantom|[hvm]space\*?|label|tag\*?)\s?\{[^{}]*\}"
)
_LAYOUT = re.compile(
    r"\\begin\s?\{(?P<kind>aligned|align\*?|alignedat|gathered|gather\*?|split|equation\*?"
    r"|displaymath|math|center|multline\*?|flalign\*?)\}(?P<lines>.*?)\\end\s?\{(?P=kind)\}",
    re.DOTALL,
)
_NEW_LINE = re.compile(r"\s?\\\\(?:\[[^\[\]]*\])?\s?")
_GOES_ON = re.compile(r"=|\\(?:approx|leq?|geq?|lt|gt)(?![a-zA-Z])")
_QUOTES = (("``", "''"), ('"', '"'), ("'", "'"), ("`", "`"), ("**", "**"), ("__", "__"))
_LEADING = re.compile(r"^\s?(?:=|\\(?:therefore|Rightarrow)(?![a-zA-Z]))\s?")
_TRAILING = re.compile(r"\s?\\(?:checkmark|square|blacksquare|Box|qed)\s?$")


def plain(text: str) -> str:
    r"""Take off colours and put an aligned formula on one line.

    What is a command alone (`\large`, `\underline`) goes with the others in `tidy`.

    >>> plain(r"\color{red}{58}"), plain(r"\begin{aligned} x &= 50+8 \\ &= 58 \end{aligned}")
    (' {58}', 'x = 50+8 = 58')
    """
    if "\\" not in text:
        return text
    text = _COLOURS.sub(" ", text)
    return _LAYOUT.sub(lambda match: _one_line(match["lines"]), text)


def _one_line(lines: str) -> str:
    """The lines of an aligned formula: a chain where they go on with a sign, else a list."""
    joined = ""
    for line in _NEW_LINE.split(lines.replace(r"\&", " and ").replace("&", "")):
        line = line.strip()
        if line:
            apart = joined and not (_GOES_ON.match(line) or joined[-1] in ",;=")
            joined += f", {line}" if apart else f" {line}"
    return joined.strip()


def undressed(text: str) -> str:
    r"""Take off quotes around the whole, a sign before it that says "so", and one behind it.

    >>> undressed('"even"'), undressed(r"\therefore 42"), undressed(r"42 \checkmark")
    ('even', '42', '42')
    """
    text = _TRAILING.sub("", _LEADING.sub("", text.strip()))
    for opening, closing in _QUOTES:
        inside = text[len(opening) : len(text) - len(closing)]
        whole = text.startswith(opening) and text.endswith(closing) and inside
        if whole and not any(mark in inside for mark in (opening, closing)):
            return inside.strip()
    return text
