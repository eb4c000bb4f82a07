"""A data set that has a name: what it is, where its files are from, and how they are known."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sage_jax.data.jsonl import read_problems
from sage_jax.data.problem import DataError, Problem

Convert = Callable[[Sequence[Path]], list[Problem]]
"""Files as upstream has them -> the problems in them."""


@dataclass(frozen=True)
class Split:
    """One split of a data set.

    Attributes:
        rows: how many problems it has.
        file: the file that may be given by hand.
        sha256: of that file, as it is stored.
        urls: upstream's files, at one commit.
        convert: reads upstream's files.
        content: SHA-256 of the problems as `as_lines` writes them, whichever way they came. None
            where it is not known: then `file` is upstream's own, and `sha256` holds of it too.
    """

    rows: int
    file: str
    sha256: str
    urls: tuple[str, ...]
    convert: Convert
    content: str | None

    def read_file(self, path: Path) -> list[Problem]:
        """The problems in a file given by hand.

        Raises:
            DataError: it is another file, or cannot be read.
        """
        try:
            found = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
        if found != self.sha256:
            raise DataError(
                f"{path}: has the sha256 {found}, and the file known by this name {self.sha256}: "
                "give that one, or take this one away to have it downloaded"
            )
        return self.convert([path]) if self.content is None else read_problems(path)

    def fault(self, problems: Sequence[Problem]) -> str:
        """How problems differ from those of this split; empty where they are the same."""
        if len(problems) != self.rows:
            return f"{len(problems)} problems where {self.rows} were expected"
        found = hashlib.sha256(as_lines(problems)).hexdigest()
        if self.content is not None and found != self.content:
            return f"problems of the sha256 {found} where {self.content} was expected"
        return ""


@dataclass(frozen=True)
class DataSet:
    """A data set of the field.

    Attributes:
        name: as a config says it.
        version: changes with what is read.
        description, homepage, citation, licence: for people.
        splits: by name.
    """

    name: str
    version: str
    description: str
    homepage: str
    citation: str
    licence: str
    splits: Mapping[str, Split]

    @property
    def fingerprint(self) -> str:
        """Name, version and checksum: data of the same fingerprint are the same."""
        checksums = [split.content or split.sha256 for split in self.splits.values()]
        digest = hashlib.sha256(" ".join(checksums).encode()).hexdigest()[:16]
        return f"{self.name} {self.version} of the checksum {digest}"


def as_lines(problems: Sequence[Problem]) -> bytes:
    """Problems as JSON Lines: the files by hand, unpacked, byte for byte."""
    return "".join(_line(problem) for problem in problems).encode()


def _line(problem: Problem) -> str:
    row = {"id": problem.id, "problem": problem.problem, "answer": problem.answer}
    row |= {} if problem.solution is None else {"solution": problem.solution}
    row |= {"source": problem.source, **problem.extra}
    # Some programs take this character for the end of a line.
    return json.dumps(row, ensure_ascii=False).replace("\u2028", "\\u2028") + "\n"
