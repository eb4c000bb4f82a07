"""Docstrings for Sphinx: formulas keep their lines, and bars are no substitutions."""

import itertools
from collections.abc import Iterator
from typing import Any

_SECTIONS = ("Args:", "Attributes:", "Example:", "Raises:", "Returns:", "Yields:")


def read(app: Any, what: str, name: str, one: object, options: Any, lines: list[str]) -> None:
    """Rewrite the lines of a docstring in place."""
    groups = itertools.groupby(lines, key=lambda line: bool(line.strip()))
    paragraphs = [[*group] for filled, group in groups if filled]
    lines[:] = [line for paragraph in paragraphs for line in (*_paragraph(paragraph), "")]


def _paragraph(lines: list[str]) -> Iterator[str]:
    """A formula or a list, whose lines are not to be filled, as it stands; all else as text."""
    indented = [line.startswith(" ") for line in lines]
    if lines[0].startswith(">>>"):
        yield from lines
    elif lines[0] in _SECTIONS:
        yield from (line.replace("|", "\\|") for line in lines)
    elif any(indented):
        yield from ("::", "", *(f"    {line}" for line in lines))
    else:
        yield from (line.replace("|", "\\|") for line in lines)
