"""The commands that the pages give to a shell, as words."""

import re
import shlex
from collections.abc import Iterator

import pages

# In a line of text what begins so is a command; elsewhere `export` is a word of ours.
_IN_TEXT = re.compile(r"(\w+=\S* )*(sage-jax|bash|python|pytest|pip|pip-audit)( |$)")


def of_pages() -> list[tuple[str, tuple[str, ...]]]:
    """(page, words) of every command in the blocks and in the lines of all pages, each once."""
    typed = [(block.page, _typed(block)) for block in pages.every_block()]
    for page in pages.names():
        typed += [(page, code) for code in pages.inline(page) if _IN_TEXT.match(code)]
    return list(dict.fromkeys((page, tuple(one)) for page, text in typed for one in commands(text)))


def _typed(block: pages.Block) -> str:
    """What of a block goes to a shell; of a transcript and of a notebook's cell some lines do."""
    marks = {"sh": "", "bash": "", "console": "$ ", "text": ("!", "%")}.get(block.language)
    if marks is None:
        return ""
    if not marks:
        return block.text
    lines = block.text.replace("\\\n", " ").splitlines()
    return "\n".join(line.lstrip("$!% ") for line in lines if line.startswith(marks))


def commands(text: str) -> Iterator[list[str]]:
    """Simple commands: without the variables before them, redirections, comments and loops."""
    for words in _lines(text):
        for command in _parted(words):
            while command and re.match(r"\w+=|do$", command[0]):
                command = command[1:]
            if command and command[0] not in ("for", "done"):
                yield _plain(command)


def _lines(text: str) -> Iterator[list[str]]:
    """The words of each line, which goes on where a quotation is open or a backslash ends it."""
    line = ""
    for more in text.replace("\\\n", " ").splitlines():
        line += more + "\n"
        lexer = shlex.shlex(line, posix=True, punctuation_chars=";|&<>")
        lexer.whitespace_split = True
        try:
            words = list(lexer)
        except ValueError:
            continue
        yield words
        line = ""
    assert not line, f"an open quotation: {line}"


def _parted(words: list[str]) -> Iterator[list[str]]:
    command: list[str] = []
    rest = iter(words)
    for word in rest:
        if word.strip("<>") == "":
            next(rest)
        elif word.strip(";|&") == "":
            yield command
            command = []
        else:
            command.append(word)
    yield command


def _plain(command: list[str]) -> list[str]:
    """Without an ellipsis and the brackets of what may be left out; `python -m pip` is `pip`."""
    if command[:2] == ["python", "-m"] and command[2] in ("pip", "pytest", "sphinx"):
        command = command[2:]
    if any(word.startswith("[-") for word in command):
        command = [word.strip("[]") for word in command]
    return [word for word in command if word != "..."]
