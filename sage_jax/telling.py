"""What errors say to a user, and foreign text in it: one printable line, cut short."""

import reprlib
from typing import Any

_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = _REPR.maxlong = 80
_REPR.maxlevel = 3


class UserError(Exception):
    """An error whose text is for the user; any other is a fault of ours, and keeps its trace."""


class OneLine(ValueError):
    """An error whose message is one printable line, whatever it quotes."""

    def __init__(self, message: str):
        super().__init__(printable(message))


def printable(text: str) -> str:
    r"""Text with what a terminal might not show, or obey, written as escapes.

    >>> print(printable("a\x1b[2J\n"))
    a\x1b[2J\n
    """
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def brief(value: Any) -> str:
    """A value as Python writes it, in at most 300 characters."""
    return printable(_REPR.repr(value))[:300]


def line(error: BaseException) -> str:
    """What an error says, in one line of at most 300 characters."""
    # Messages of ours name the file themselves, which the system's would name once more.
    said = (isinstance(error, OSError) and error.strerror) or str(error)
    return printable(" ".join(said.split()) or type(error).__name__)[:300]
