"""One spelling for what LaTeX can write in several ways. Linear in the text; nothing is parsed."""

import re
import unicodedata

_INVISIBLE = {"Cc", "Cf", "Cn", "Co", "Cs"}
_LONGEST = 4_000  # one character may stand for ten
_SPACE = " \t\n\r\f\v"

# Without its digits, which are one script of several.
_FULL_WIDTH = [code for code in range(0xFF01, 0xFF5F) if not chr(code).isdecimal()]
_SPELT = {
    "×": r"\times ", "·": r"\cdot ", "⋅": r"\cdot ", "÷": "/", "∕": "/", "⁄": "/", "±": r"\pm ",
    "π": r"\pi ", "∞": r"\infty ", "°": r"^\circ ", "∪": r"\cup ", "∈": r"\in ", "≤": r"\le ",
    "≥": r"\ge ", "≠": r"\neq ", "≈": r"\approx ", "½": r"\frac{1}{2}", "¼": r"\frac{1}{4}",
    "¾": r"\frac{3}{4}", "′": "'", "’": "'", "、": ",", "。": ".",
}  # fmt: skip
_CHARACTERS = str.maketrans(
    {chr(code): chr(code - 0xFEE0) for code in _FULL_WIDTH} | dict.fromkeys("−–‐‑‒", "-") | _SPELT
)
# One full stop ends a sentence; three leave a number open.
_LAST_STOP = re.compile(r"\s?(?<![.,;])[.,;]$")
_LOOSE_SPACE = re.compile(r"(?<!\w) | (?!\w)")
_RAISED = {raised: plain for plain, raised in zip("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻", strict=True)}
_RAISED_RUN = re.compile(f"[{''.join(_RAISED)}]+")

_RULES = [
    (re.compile(pattern), put)
    for pattern, put in (
        (r"√\s?(\d+|[a-zA-Z])", r"\\sqrt{\1}"),
        (r"\\(?:left|right|[bB]igg?[lrm]?)(?![a-zA-Z])\.?", ""),
        (r"\\(?:displaystyle|textstyle|limits)(?![a-zA-Z])|\\!\s*", ""),
        (r"\\(?:approx|simeq|cong|sim)(?![a-zA-Z])|~=", r"\\approx "),
        (r"(?<!\\)\\[,;:> ~]|~|\\(?:q?quad|enspace|thinspace)(?![a-zA-Z])", " "),
        (r"(?<!\\)\$(?!(?<=\d.)\d)", " "),
        (r"\{,\}", ","),
        (r"\\[dtc]frac(?![a-zA-Z])", r"\\frac"),
        (r"\\(?:mbox|hbox|text(?:rm|bf|it|sf|tt|normal|up)|math(?:rm|bf|it|sf|normal))\s?\{",
         r"\\text{"),
        (r"\\text\s?\{\s*\}", " "),
        (r"\\(?:lbrace)(?![a-zA-Z])", r"\\{"),
        (r"\\(?:rbrace)(?![a-zA-Z])", r"\\}"),
        (r"\\(?:leqslant|leq|le)(?![a-zA-Z])|<=", r"\\le "),
        (r"\\(?:geqslant|geq|ge)(?![a-zA-Z])|>=", r"\\ge "),
        (r"\\(?:neq|ne)(?![a-zA-Z])|\\not\s?=|!=", r"\\neq "),
        (r"\\lt(?![a-zA-Z])", "<"),
        (r"\\gt(?![a-zA-Z])", ">"),
        (r"\\(?:varnothing)(?![a-zA-Z])|\\\{\s?\\\}", r"\\emptyset "),
        (r"\^\s?\{\s?(?:\\circ|\\degree)\s?\}|\^\s?\\circ(?![a-zA-Z])|\\degree(?![a-zA-Z])",
         r"^\\circ "),
        (r"\\%", "%"),
        (r"(?<=[a-zA-Z)}])('+)", lambda match: "^{" + r"\prime" * len(match[1]) + "}"),
        # TeX takes one token for a missing brace: \frac12 is \frac{1}{2}, \sqrt2 is \sqrt{2}.
        (r"\\frac\s?([0-9a-zA-Z])", r"\\frac{\1}"),
        (r"(\\frac\s?\{[^{}]*\})\s?([0-9a-zA-Z])", r"\1{\2}"),
        (r"\\sqrt\s?([0-9a-zA-Z])", r"\\sqrt{\1}"),
        # One character needs no braces: x_{1} is x_1.
        (r"([_^])\s?\{\s?(\w)\s?\}(?!\s?\w)", r"\1\2"),
        (r"\\\\\[[\d.]+(?:pt|em|ex|mm)\]", r"\\\\ "),
        (r"\s+", " "),
    )
]  # fmt: skip


def tidy(text: str) -> str | None:
    r"""Rewrite a piece of LaTeX in one spelling, or return None if it holds invisible characters.

    Sizes, styles and spaces that mean nothing go; `\dfrac12` becomes `\frac{1}{2}`, `\mbox` and
    `\mathrm` become `\text`, `−×½²` their LaTeX; digits of another script become `0`-`9`. Zero
    width and bidirectional characters, control characters and lone surrogates make a text read
    otherwise than it looks, and so do digits of two scripts: such a text is no answer.

    >>> tidy(r"\left( 3, \dfrac12 \right)"), tidy("4\u200b2")
    ('( 3, \\frac{1}{2} )', None)
    """
    if any(unicodedata.category(c) in _INVISIBLE and c not in _SPACE for c in set(text)):
        return None
    digits = _one_script(text.translate(_CHARACTERS))
    if digits is None or len(digits) > _LONGEST:
        return None
    text = _RAISED_RUN.sub(lambda run: "^{" + "".join(_RAISED[c] for c in run[0]) + "}", digits)
    for pattern, put in _RULES:
        text = pattern.sub(put, text)
    return _unwrapped(_LAST_STOP.sub("", text.strip()))


def squeezed(text: str) -> str:
    """The text without spaces that part nothing, to tell whether two are written alike.

    >>> squeezed("x + 1"), squeezed("4 2")
    ('x+1', '4 2')
    """
    return _LOOSE_SPACE.sub("", text)


def _one_script(text: str) -> str | None:
    """Write decimal digits as 0-9; None if they are of several scripts."""
    zeros = {ord(c) - unicodedata.decimal(c) for c in set(text) if c.isdecimal()}
    if len(zeros) > 1:
        return None
    zero = zeros.pop() if zeros else ord("0")
    return text.translate({zero + digit: str(digit) for digit in range(10)})


def _unwrapped(text: str) -> str:
    """Take off what is wrapped around the whole: {42}, \\text{42} (not words), \\(42\\)."""
    for opening, closing in (("{", "}"), (r"\text{", "}"), (r"\(", r"\)"), (r"\[", r"\]")):
        if text.startswith(opening) and text.endswith(closing):
            inside = text[len(opening) : -len(closing)]
            words = opening == r"\text{" and not any(c.isdecimal() for c in inside)
            if not (words or any(c in inside for c in "{}") or opening in inside):
                return inside.strip()
    return text
