r"""Mathematics as a program prints it, or as it is typed without LaTeX: pi/5, exp(3), x**5, oo."""

import re

_GREEK = """
alpha beta gamma delta epsilon zeta theta iota kappa lambda sigma upsilon omega Gamma Delta Theta
Lambda Sigma Omega
"""
_SHORT_GREEK = "mu nu xi eta rho tau phi chi psi"
_CONSTANTS = {
    "pi": r"\pi ", "oo": r"\infty ", "inf": r"\infty ", "infty": r"\infty ",
    "infinity": r"\infty ", "Infinity": r"\infty ",
} | {name: rf"\{name} " for name in _GREEK.split()}  # fmt: skip
_SHORT = {name: rf"\{name} " for name in _SHORT_GREEK.split()}
_NAMES = {
    "sin": "sin", "cos": "cos", "tan": "tan", "cot": "cot", "sec": "sec", "csc": "csc",
    "sinh": "sinh", "cosh": "cosh", "tanh": "tanh", "asin": "arcsin", "acos": "arccos",
    "atan": "arctan", "acot": "arccot", "arcsin": "arcsin", "arccos": "arccos",
    "arctan": "arctan", "arctg": "arctan", "asinh": "arsinh", "acosh": "arcosh",
    "atanh": "artanh", "arcsinh": "arsinh", "arccosh": "arcosh", "arctanh": "artanh",
    "arsinh": "arsinh", "arcosh": "arcosh", "artanh": "artanh", "cosec": "csc", "tg": "tan",
    "ctg": "cot", "ln": "ln", "exp": "exp", "max": "max", "min": "min", "gcd": "gcd",
    "lcm": "lcm", "Re": "Re", "Im": "Im", "cis": "cis",
}  # fmt: skip
_AROUND = {
    "sqrt": (r"\sqrt{", "}"), "cbrt": (r"\sqrt[3]{", "}"), "abs": ("|", "|"), "Abs": ("|", "|"),
    "floor": (r"\lfloor ", r"\rfloor "), "ceil": (r"\lceil ", r"\rceil "),
    "ceiling": (r"\lceil ", r"\rceil "), "factorial": ("(", ")!"),
}  # fmt: skip
_UNITS_TOO = {"min", "max", "sec"}  # 30 min, m/sec^2: a function only where it is called
_OPERATOR = re.compile(
    rf"\\operatorname\*?\s?\{{\s?({'|'.join([*_NAMES, *_AROUND, 'log'])})\s?\}}"
    rf"|\\text\s?\{{\s?({'|'.join(sorted({*_NAMES, *_AROUND, 'log'} - _UNITS_TOO))})\s?\}}"
)
_CALL = re.compile(rf"(?<![A-Za-z])\\?({'|'.join(_AROUND)})(?:\s?(\()|\s?(?=[\d])|\s(?=[a-z]\b))")
_WORD = re.compile(
    r"\\(?:text|begin|end|operatorname)\s?\{[^{}]*\}|(?<![\\A-Za-z])[A-Za-z]+(?![A-Za-z])"
)
_WITH_BASE = re.compile(r"(?<![\\A-Za-z])log(2|10)(?=\s?\()")
_PAIR = re.compile(r"(?<![\\A-Za-z])(?:Rational|Fraction)\(\s?(-?\d+)\s?,\s?(\d+)\s?\)")
_CHOOSE = re.compile(r"(?<![\\A-Za-z])(?:binomial|binom|comb|nCr)\(([^(),]+),([^(),]+)\)")
_POWER = re.compile(r"(?<=[\w)}\]])\s?\*\*\s?(?=[\w(\-\\{])")
_MATRIX = re.compile(r"(?:Immutable|Mutable)?(?:Dense)?Matrix\((\[\[.*\]\])\)")
_INDEXED = re.compile(r"(?<![\\A-Za-z0-9_.])([A-Za-z])(\d{1,2})(?![\w.])")
_INFINITY = re.compile(r"\\text\s?\{\s?[Ii]nfinity\s?\}")
_TYPED = re.compile(r"[A-Za-z*√]")
PLAIN_LOG = r"\plainlog "
r"""A log typed without a backslash: of base e where a program prints it; see `read_as_in`."""


def as_latex(text: str) -> str:
    r"""Spell in LaTeX what was typed without.

    >>> as_latex("-9*pi"), as_latex("x**5"), as_latex("sqrt(3)/2"), as_latex(r"4\sqrt(3)")
    ('-9*\\pi ', 'x^5', '\\sqrt{3}/2', '4\\sqrt{3}')
    """
    if not _TYPED.search(text):
        return text
    text = _INFINITY.sub(r"\\infty ", text)
    text = _OPERATOR.sub(lambda match: _name(match[1] or match[2]), text)
    if "(" in text:
        text = _PAIR.sub(r"\\frac{\1}{\2}", text)
        text = _CHOOSE.sub(r"\\binom{\1}{\2}", text)
        text = _WITH_BASE.sub(r"\\log_{\1}", text)
        text = _MATRIX.sub(r"\1", text)
    text = _calls(_POWER.sub("^", text))
    return _WORD.sub(lambda match: _word(match, text), text)


def _name(word: str) -> str:
    return rf"\{_NAMES[word]} " if word in _NAMES else PLAIN_LOG if word == "log" else word


def _word(match: re.Match[str], text: str) -> str:
    word, after = match[0], text[match.end() : match.end() + 2]
    if word in _CONSTANTS:
        return _CONSTANTS[word]
    if word in _SHORT and "*" in text:
        return _SHORT[word]
    called = after.lstrip()[:1] == "("
    if word not in _UNITS_TOO:
        called = called or after[:1] in ("^", "{") or (after[:1] == " " and len(word) > 1)
    return _name(word) if called else word


def _calls(text: str) -> str:
    """Put braces, bars and the like for the brackets of sqrt(x), abs(x), floor(x), factorial(n)."""
    for match in reversed(list(_CALL.finditer(text))):
        opening, closing = _AROUND[match[1]]
        end = _end(text, match.end()) if match[2] else _word_end(text, match.end())
        if end is not None:
            inside, rest = text[match.end() : end], text[end + bool(match[2]) :]
            text = text[: match.start()] + opening + inside + closing + rest
    return text


def _end(text: str, start: int) -> int | None:
    """Where the bracket before `start` closes."""
    depth = 1
    for place in range(start, len(text)):
        depth += (text[place] in "([{") - (text[place] in ")]}")
        if depth == 0:
            return place if text[place] == ")" else None
    return None


def _word_end(text: str, start: int) -> int:
    end = start
    while end < len(text) and text[end].isdigit():
        end += 1
    return max(end, start + 1)


def read_as_in(gold: str, answer: str) -> str:
    r"""Read in the gold's way what a program's print leaves open: log, E, I, x1.

    Each has one reading alone, taken from the gold, so that it is no second guess.

    >>> read_as_in(r"\ln 2", r"\plainlog (2)"), read_as_in("1+2i", "1+2*I")
    ('\\ln (2)', '1+2*i')
    """
    if PLAIN_LOG in answer:
        answer = answer.replace(PLAIN_LOG, r"\log " if r"\log" in gold else r"\ln ")
    if "_" in gold:
        answer = _INDEXED.sub(r"\1_\2", answer)
    of_gold, of_answer = _letters(gold), _letters(answer)
    for printed, meant in (("E", "e"), ("I", "i")):
        means = meant in of_gold and printed not in of_gold and meant not in of_answer
        if printed in of_answer and means and r"\text" not in answer:
            answer = re.sub(rf"(?<![\\A-Za-z0-9]){printed}(?![A-Za-z_(])", meant, answer)
    return answer


def _letters(text: str) -> set[str]:
    return set(
        re.findall(r"(?<![\\A-Za-z])[A-Za-z](?![A-Za-z])", re.sub(r"\\[a-zA-Z]+", " ", text))
    )
