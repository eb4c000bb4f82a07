"""What Unicode writes with a character of its own, as LaTeX; and what no answer may hold."""

import re
import unicodedata

_INVISIBLE = {"Cc", "Cf", "Cn", "Co", "Cs"}
_SPACE = " \t\n\r\f\v"
# Without its digits, which are one script of several.
_FULL_WIDTH = [code for code in range(0xFF01, 0xFF5F) if not chr(code).isdecimal()]
_SPELT = {
    "×": r"\times ", "·": r"\cdot ", "⋅": r"\cdot ", "∙": r"\cdot ", "÷": "/", "∕": "/", "⁄": "/",
    "±": r"\pm ", "∓": r"\mp ", "∞": r"\infty ", "°": r"^\circ ", "º": r"^\circ ", "∪": r"\cup ",
    "∩": r"\cap ", "∈": r"\in ", "∖": r"\setminus ", "≤": r"\le ", "≥": r"\ge ", "⩽": r"\le ",
    "⩾": r"\ge ", "≠": r"\neq ", "≈": r"\approx ", "≡": r"\equiv ", "∅": r"\emptyset ",
    "ℝ": r"\mathbb{R} ", "ℤ": r"\mathbb{Z} ", "ℕ": r"\mathbb{N} ", "ℚ": r"\mathbb{Q} ",
    "ℂ": r"\mathbb{C} ", "∠": r"\angle ", "△": r"\triangle ", "⊥": r"\perp ", "∥": r"\parallel ",
    "→": r"\to ", "⇒": r"\Rightarrow ", "⇔": r"\Leftrightarrow ", "↦": r"\mapsto ",
    "¬": r"\neg ", "∧": r"\land ", "∨": r"\lor ", "⟨": r"\langle ", "⟩": r"\rangle ",
    "⌊": r"\lfloor ", "⌋": r"\rfloor ", "⌈": r"\lceil ", "⌉": r"\rceil ", "∑": r"\sum ",
    "∏": r"\prod ", "∫": r"\int ", "∂": r"\partial ", "∇": r"\nabla ", "…": r"\ldots ",
    "⋯": r"\ldots ", "ℏ": r"\hbar ", "ℓ": r"\ell ", "µ": r"\mu ", "∛": r"\sqrt[3]",
    "∜": r"\sqrt[4]", "′": "'", "’": "'", "″": "''", "“": '"', "”": '"', "‖": r"\|", "∶": ":",
    "、": ",", "。": ".", "✓": r"\checkmark ", "✔": r"\checkmark ",
    "Å": "angstrom", "\u212b": "angstrom",
}  # fmt: skip
_GREEK = """
alpha beta gamma delta epsilon zeta eta theta iota kappa mu nu xi pi rho sigma tau upsilon phi chi
psi omega Gamma Delta Theta Xi Pi Sigma Upsilon Phi Psi Omega
"""


def _greek(name: str) -> str:
    size = "CAPITAL" if name[0].isupper() else "SMALL"
    return unicodedata.lookup(f"GREEK {size} LETTER {name.upper()}")


def _vulgar(code: int) -> tuple[int, str]:
    above, below = unicodedata.normalize("NFKC", chr(code)).split("⁄")
    return code, rf"\frac{{{above}}}{{{below}}}"


_CHARACTERS = str.maketrans(
    {chr(code): chr(code - 0xFEE0) for code in _FULL_WIDTH}
    | dict.fromkeys("−–‐‑‒", "-")
    | {_greek(name): rf"\{name} " for name in _GREEK.split()}
    | {"λ": r"\lambda ", "Λ": r"\Lambda ", "ϕ": r"\phi ", "ϵ": r"\epsilon ", "ϑ": r"\theta "}
    | {chr(code): put for code, put in map(_vulgar, (0xBC, 0xBD, 0xBE, *range(0x2150, 0x215F)))}
    | _SPELT
)
_RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺ⁿⁱ", "0123456789-+ni", strict=True))
_LOWERED = dict(zip("₀₁₂₃₄₅₆₇₈₉₋₊ₙᵢ", "0123456789-+ni", strict=True))
_RAISED_RUN = re.compile(f"[{''.join(_RAISED)}]+")
_LOWERED_RUN = re.compile(f"[{''.join(_LOWERED)}]+")


def as_latex(text: str) -> str | None:
    r"""Write special characters in LaTeX and the digits of another script as 0-9.

    None where a text reads otherwise than it looks: zero width and bidirectional characters,
    control characters, lone surrogates, digits of two scripts.

    >>> as_latex("2π ≤ x²"), as_latex("4\u200b2")
    ('2\\pi  \\le  x^{2}', None)
    """
    if text.isascii() and text.isprintable():
        return text
    if any(unicodedata.category(c) in _INVISIBLE and c not in _SPACE for c in set(text)):
        return None
    digits = _one_script(text.translate(_CHARACTERS))
    if digits is None:
        return None
    text = _RAISED_RUN.sub(lambda run: "^{" + "".join(_RAISED[c] for c in run[0]) + "}", digits)
    return _LOWERED_RUN.sub(lambda run: "_{" + "".join(_LOWERED[c] for c in run[0]) + "}", text)


def _one_script(text: str) -> str | None:
    """Write decimal digits as 0-9; None if they are of several scripts."""
    zeros = {ord(c) - unicodedata.decimal(c) for c in set(text) if c.isdecimal()}
    if len(zeros) > 1:
        return None
    zero = zeros.pop() if zeros else ord("0")
    return text.translate({zero + digit: str(digit) for digit in range(10)})
