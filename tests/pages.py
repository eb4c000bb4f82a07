"""The pages of the documents, their blocks of code, and the code that stands in their lines."""

import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt  # Rich brings it.
from markdown_it.token import Token

ROOT = Path(__file__).parents[1]


class Block(NamedTuple):
    """A block: of which page, the number of its first line, its language ("" if it has none)."""

    page: str
    line: int
    language: str
    text: str

    @property
    def place(self) -> str:
        """As a message names it: README.md:9."""
        return f"{self.page}:{self.line}"


def names() -> list[str]:
    """Every page that is written by hand: README.md, docs/start.md, docs/guides/gpu.md, ..."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    every = sorted(path.relative_to(ROOT).as_posix() for path in found)
    return [name for name in every if not name.startswith("docs/reference/")]  # The site's own.


@functools.cache
def text(page: str) -> str:
    """What a page says."""
    return (ROOT / page).read_text("utf-8")


@functools.cache
def _tokens(page: str) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(text(page))


def every_block() -> Iterator[Block]:
    """The blocks of all pages, fenced and indented."""
    for page in names():
        for token in _tokens(page):
            if token.type in ("fence", "code_block"):
                first = token.map[0] + 1 if token.map else 0
                yield Block(page, first, token.info.strip(), token.content)


def blocks(page: str, language: str) -> list[str]:
    """The texts of a page's blocks of one language."""
    return [one.text for one in every_block() if (one.page, one.language) == (page, language)]


@functools.cache
def files(page: str) -> dict[str, str]:
    """{name: text} of the blocks of Python over which stands the name of a file."""
    named = re.findall(
        r"^`(\w+\.py)`:\n\n```python\n(.*?)^```", text(page), re.DOTALL | re.MULTILINE
    )
    return dict(named)


def inline(page: str) -> Iterator[str]:
    """What stands between backquotes in a page's lines, headings and tables."""
    for token in _tokens(page):
        for child in token.children or ():
            if child.type == "code_inline":
                yield child.content
