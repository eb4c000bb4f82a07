"""Text between brackets: what stands outside all of them, and whether they match."""

import re

_TOKEN = re.compile(r"\\[a-zA-Z]+|\\.|.", re.DOTALL)
_OPENING, _CLOSING = {"(", "[", "{", r"\{", r"\langle"}, {")", "]", "}", r"\}", r"\rangle"}


def split_outside(text: str, separators: set[str]) -> tuple[list[str], list[str]]:
    """Split at separators that stand outside all brackets; return the parts and the separators."""
    parts, found, depth = [""], [], 0
    for token in _TOKEN.findall(text):
        depth += (token in _OPENING) - (token in _CLOSING)
        if depth == 0 and token in separators:
            found.append(token)
            parts.append("")
        else:
            parts[-1] += token
    return [part.strip() for part in parts], found


def balanced(text: str) -> bool:
    """Whether every bracket closes, and none before it opens."""
    depth = 0
    for token in _TOKEN.findall(text):
        depth += (token in _OPENING) - (token in _CLOSING)
        if depth < 0:
            return False
    return depth == 0


def both_signs(text: str) -> list[str]:
    r"""Both of what one \pm, or one \mp, stands for, wherever in the text."""
    signs = re.findall(r"\\(?:pm|mp)(?![a-zA-Z])", text)
    if len(signs) != 1 or r"\{" in text or "[" in text:
        return [text]
    before, after = (side.strip() for side in text.split(signs[0]))
    plus = (
        after
        if not before
        else f"{before} {after}"
        if before[-1] in "{(["
        else f"{before} + {after}"
    )
    minus = f"{before} - {after}".strip()
    return [plus, minus] if signs[0] == r"\pm" else [minus, plus]
