"""What each token of a text adds to it."""

from collections.abc import Callable

import numpy as np

_HALF = "\ufffd"  # What bytes that are no whole character are written as.


def pieces(spell: Callable[[np.ndarray], str], tokens: np.ndarray) -> list[str]:
    r"""The text of tokens cut into one piece a token, which joined are the text.

    A token that ends amid a character writes nothing yet, and the one that completes the character
    writes it whole. Tokens that write nothing, such as the end of a sequence, get an empty piece.
    Where a text is no sum of what its tokens add, the first token gets all of it.

    Args:
        spell: tokens as text, such as `Task.spell`.
        tokens: int[T].

    >>> spell = lambda ids: bytes(ids.tolist()).decode(errors="replace")
    >>> pieces(spell, np.array([72, 0xC3, 0xA9, 33]))
    ['H', '', 'é', '!']
    """
    whole, found = spell(tokens), _added(spell, tokens)
    if "".join(found) == whole:
        return found
    return [whole, *[""] * (len(tokens) - 1)] if len(tokens) else []


def _added(spell: Callable[[np.ndarray], str], tokens: np.ndarray) -> list[str]:
    """Each token's text behind a few tokens before it, on which a space in front may depend."""
    found, begin, done, known = [], 0, 0, ""  # `known` is the text of tokens[begin:done].
    for end in range(1, len(tokens) + 1):
        text = spell(tokens[begin:end])
        added = text[len(known) :]
        if added.endswith(_HALF) and end < len(tokens):
            added = ""
        elif added:
            begin, done = done, end
            known = spell(tokens[begin:done])
        found.append(added)
    return found
