"""A table in one file, or in several that a pattern names."""

import glob
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from sage_jax.data.problem import DataError
from sage_jax.data.rows import Row, Table
from sage_jax.paths import as_path, is_remote
from sage_jax.telling import brief, line


class Line(NamedTuple):
    """A row of a file: where it stands, its values, and why it has none."""

    number: int
    values: dict
    fault: str = ""


def header_of(path: Path, names: list[str]) -> list[str]:
    """The names of a file's columns.

    Raises:
        DataError: one of them is there twice.
    """
    if twice := [name for name in names if names.count(name) > 1]:
        raise DataError(f"{path}: the header names {brief(twice[0])} twice; give each column one")
    return names


def files_of(pattern: str) -> list[Path]:
    """The file of that name; else all that a pattern with `*` or `?` names, in order.

    Raises:
        DataError: a pattern names none, or what no file on this machine can be named.
        PathError: it is no path.
    """
    if is_remote(pattern):
        raise DataError(f"{pattern}: rows are read from files on disk: copy it to one")
    path = as_path(pattern)
    try:
        if path.exists() or not glob.has_magic(pattern):
            return [path]
    except OSError as error:  # a name too long, a folder that may not be looked into
        raise DataError(f"{brief(pattern)}: cannot be read: {line(error)}") from error
    found = [Path(name) for name in sorted(glob.glob(str(path), recursive=True))]
    if not found:
        raise DataError(f"{pattern}: no file has such a name")
    return found


def open_files(
    pattern: str, read: Callable[[Path], Iterable[Line]], *, unit: str, mark: str = ""
) -> Table:
    """A table in files.

    Args:
        pattern: as in `files_of`.
        read: the rows of one file.
        unit: the word for a row, as in "row 5".
        mark: what ids that are made here begin with, before the file's name and the row.

    Raises:
        DataError: of `files_of` and `read`.
    """
    files = files_of(pattern)
    rows = []
    for file in files:
        stem, where = file.name.split(".")[0], f"{file.name}, " if len(files) > 1 else ""
        rows += [
            Row(f"{mark}{stem}-{line.number}", f"{where}{unit} {line.number}", *line[1:])
            for line in read(file)
        ]
    return Table(pattern, rows)
