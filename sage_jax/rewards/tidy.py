"""One spelling for what LaTeX can write in several ways. Linear in the text; nothing is parsed."""

import re
from functools import lru_cache

from sage_jax.rewards.characters import as_latex
from sage_jax.rewards.plain_text import as_latex as spelt_in_latex
from sage_jax.rewards.styles import plain, undressed

_LONGEST = 4_000  # one character may stand for ten
# One full stop ends a sentence; three leave a number open.
_LAST_STOP = re.compile(r"\s?(?<![.,;])[.,;]$")
_LOOSE_SPACE = re.compile(r"(?<!\w) | (?!\w)")
# Commands of one meaning; an empty one says nothing of the value.
_SPELLINGS = {
    "": "left right big Big bigl bigr bigm bigg Bigg biggl biggr biggm Bigl Bigr Bigm Biggl Biggr "
        "Biggm displaystyle textstyle scriptstyle limits nolimits tiny scriptsize footnotesize "
        "small normalsize large Large LARGE huge Huge underline uline boldsymbol bm pmb "
        "ensuremath mathop mathord mathrel mathbin boldmath bf bfseries it itshape sf tt strut "
        "mathstrut nonumber notag hfill centering allowbreak nobreak relax",
    " ": "quad qquad enspace thinspace medspace thickspace space nobreakspace",
    r"\frac": "dfrac tfrac cfrac nicefrac sfrac xfrac flatfrac",
    r"\binom": "dbinom tbinom",
    r"\text": "mbox hbox textrm textbf textit textsf texttt textnormal textup textsc textsl "
              "textmd emph mathrm mathbf mathit mathsf mathnormal mathtt",
    r"\approx ": "simeq cong sim thickapprox",
    r"\{": "lbrace", r"\}": "rbrace", "<": "lt", ">": "gt", "/": "div", "|": "lvert rvert vert mid",
    r"\|": "lVert rVert Vert", ":": "colon", r"\le ": "leqslant leq le", "i": "imath", "j": "jmath",
    r"\ge ": "geqslant geq ge", r"\neq ": "neq ne", r"\emptyset ": "varnothing emptyset",
    r"\setminus ": "backslash smallsetminus", r"\neg ": "lnot", r"\land ": "wedge",
    r"\lor ": "vee", r"\to ": "rightarrow longrightarrow",
    r"\Rightarrow ": "implies Longrightarrow", r"\Leftrightarrow ": "iff Longleftrightarrow",
    r"\ldots ": "dots dotsc dotsb dotsm cdots hdots", r"\triangle ": "bigtriangleup",
    r"\mathbb": "Bbb", r"\epsilon ": "varepsilon", r"\phi ": "varphi", r"\theta ": "vartheta",
    r"\vec": "overrightarrow", r"\operatorname": "DeclareMathOperator", r"\tan ": "tg",
    r"\cot ": "ctg", r"\arctan ": "arctg", r"\csc ": "cosec", r"\log_{10} ": "lg",
    r"\text ": "rm", r"\degree ": "textdegree degrees", r"\%": "textpercent",
    r"\cup ": "bigcup", r"\cap ": "bigcap",
}  # fmt: skip
_SPELT = {name: put for put, names in _SPELLINGS.items() for name in names.split()}
_COMMAND = re.compile(r"(?<!\\)(?P<rows>(?:\\\\)*)\\(?P<name>[a-zA-Z]+)")
_NO_BRACKET = re.compile(r"\\(?:left|right)\s?\.")

_RULES = [
    (re.compile(pattern), put)
    for pattern, put in (
        (r"√\s?(\d+|[a-zA-Z])", r"\\sqrt{\1}"),
        (r"√\s?(?=[{(])", r"\\sqrt"),
        (r"~=", r"\\approx "),
        (r"\\!\s*", ""),
        (r"(?<!\\)\\[,;:> ~]|~", " "),
        (r"(?<!\\)\$(?!(?<=\d.)\d)", " "),
        # Between groups of three digits the comma parts thousands, else it is the decimal sign.
        (r"(?<![\d,.}])(\d+)\{,\}(\d{1,2}|\d{4,})(?![\d{])", r"\1.\2"),
        (r"\{,\}", ","),
        (r"\{\s?\\text\s([^{}]*)\}", r"\\text{\1}"),
        (r"\\text (?=\s?[a-zA-Z])(\s?[a-zA-Z]+)", r"\\text{\1}"),  # {\rm cm}
        (r"\\text\s?\{\s*\}", " "),
        (r"\\text\s?\{", r"\\text{"),
        (r"\\text (?!\{)", " "),
        (r"_\s?\{\s?\\(?:text\{\s?(\w+)\s?\}|(max|min)(?![a-z]))\s?\}", r"_{\1\2}"),
        (r"_\s?\\(?:text\{\s?(\w+)\s?\}|(max|min)(?![a-z]))", r"_{\1\2}"),
        (r"\\(hat|vec)\s?\{\s?\\text\{(\w)\}\s?\}", r"\\\1{\2}"),
        (r"\\overline\s?\{\s?([a-zA-Z])\s?\}", r"\\bar{\1}"),
        (r"\\(max|min|gcd|lcm)\s?\\\{([^{}]*)\\\}", r"\\\1(\2)"),
        (r"\\log\s?_\s?(?:e|\{\s?e\s?\})", r"\\ln "),
        (r"(?<![a-zA-Z}_^])\{\s?(\\text\{[^{}]*\})\s?\}", r"\1"),
        (r"\\mathbb\s?([A-Z])", r"\\mathbb{\1}"),
        (r"<=", r"\\le "),
        (r">=", r"\\ge "),
        (r"\\not\s?=|!=", r"\\neq "),
        (r"\\\{\s?\\\}", r"\\emptyset "),
        (r"\+\s?/\s?-|^\+-", r"\\pm "),
        (r"\^\s?\{\s?(?:\\circ|\\degree)\s?\}|\^\s?\\circ(?![a-zA-Z])|\\degree(?![a-zA-Z])",
         r"^\\circ "),
        (r"\\%", "%"),
        (r"(?<=[a-zA-Z)}])('+)", lambda match: "^{" + r"\prime" * len(match[1]) + "}"),
        (r"([,+])\s?\.\.\.(?!\.)", r"\1 \\ldots "),
        # The forms of plain TeX: {a \over b}, {n \choose k}.
        (r"\{([^{}]*)\\over(?![a-zA-Z])([^{}]*)\}|^([^{}]*)\\over(?![a-zA-Z])([^{}]*)$",
         lambda match: rf"\frac{{{_side(match, 1)}}}{{{_side(match, 2)}}}"),
        (r"\{([^{}]*)\\choose(?![a-zA-Z])([^{}]*)\}|^([^{}]*)\\choose(?![a-zA-Z])([^{}]*)$",
         lambda match: rf"\binom{{{_side(match, 1)}}}{{{_side(match, 2)}}}"),
        # TeX takes one token for a missing brace: \frac12 is \frac{1}{2}, \sqrt2 is \sqrt{2}.
        (r"\\frac\s?([0-9a-zA-Z])", r"\\frac{\1}"),
        (r"(\\frac\s?\{[^{}]*\})\s?([0-9a-zA-Z])", r"\1{\2}"),
        (r"\\sqrt\s?(\[[^\[\]]*\])?\s?([0-9a-zA-Z])", r"\\sqrt\1{\2}"),
        (r"\\(vec|hat|bar|overline|dot|ddot|tilde)\s([0-9a-zA-Z])", r"\\\1{\2}"),
        # One character needs no braces: x_{1} is x_1.
        (r"([_^])\s?\{\s?(\w)\s?\}(?!\w|\s\d)", r"\1\2"),
        (r"\\\\\[[\d.]+(?:pt|em|ex|mm)\]", r"\\\\ "),
        (r"\s+", " "),
    )
]  # fmt: skip


_BRACES = re.compile(r"\\[a-zA-Z]+|\\.|.", re.DOTALL)
_SIGNS = frozenset("=+-*(,&<>")


def _side(match: re.Match[str], which: int) -> str:
    return (match[which] if match[which] is not None else match[which + 2]).strip()


def _spelt(match: re.Match[str]) -> str:
    put = _SPELT.get(match["name"])
    return match[0] if put is None else match["rows"] + put


@lru_cache(maxsize=512)  # golds come up again for each of their group
def tidy(text: str) -> str | None:
    r"""Rewrite a piece of LaTeX in one spelling, or return None if it holds invisible characters.

    Sizes, styles and spaces that mean nothing go; `\dfrac12` becomes `\frac{1}{2}`, `\mbox` and
    `\mathrm` become `\text`, `−×½²` their LaTeX; digits of another script become `0`-`9`. Zero
    width and bidirectional characters, control characters and lone surrogates make a text read
    otherwise than it looks, and so do digits of two scripts: such a text is no answer.

    >>> tidy(r"\left( 3, \dfrac12 \right)"), tidy("4\u200b2")
    ('( 3, \\frac{1}{2} )', None)
    """
    latex = as_latex(text)
    if latex is None or len(latex) > _LONGEST:
        return None
    text = _COMMAND.sub(_spelt, _NO_BRACKET.sub("", plain(undressed(latex))))
    for pattern, put in _RULES:
        text = pattern.sub(put, text)
    text = _without_loose_braces(text)
    text = undressed(_unwrapped(undressed(_LAST_STOP.sub("", text.strip()))))
    return _unwrapped(spelt_in_latex(text).strip())


def squeezed(text: str) -> str:
    """The text without spaces that part nothing, to tell whether two are written alike.

    >>> squeezed("x + 1"), squeezed("4 2")
    ('x+1', '4 2')
    """
    return _LOOSE_SPACE.sub("", text)


def _without_loose_braces(text: str) -> str:
    """Take off braces that hold no argument, since they stand behind a sign: x = {58}."""
    if "{" not in text:
        return text
    kept, loose, before = [], [], ""
    for token in _BRACES.findall(text):
        if token == "{":
            loose.append(before in _SIGNS)
            kept.append("" if loose[-1] else token)
        elif token == "}" and loose:
            kept.append("" if loose.pop() else token)
        else:
            kept.append(token)
        before = token.strip() or before
    return "".join(kept) if not loose else text


def _unwrapped(text: str) -> str:
    """Take off what is wrapped around the whole: {42}, \\text{42} (not words), \\(42\\)."""
    for opening, closing in (("{", "}"), (r"\text{", "}"), (r"\(", r"\)"), (r"\[", r"\]")):
        if text.startswith(opening) and text.endswith(closing):
            inside = text[len(opening) : -len(closing)]
            words = opening == r"\text{" and not any(c.isdecimal() for c in inside)
            nested = opening != "{" and opening in inside
            if not (words or nested) and _balanced(inside):
                return _unwrapped(inside.strip())
    return text


def _balanced(text: str) -> bool:
    depth = 0
    for character in text:
        depth += (character == "{") - (character == "}")
        if depth < 0:
            return False
    return depth == 0
