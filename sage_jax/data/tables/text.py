"""Rows of text files: JSON Lines, and tables of cells between commas or the like."""

import codecs
import csv
import io
from collections.abc import Iterator
from pathlib import Path

from sage_jax import json_lines
from sage_jax.data.problem import DataError
from sage_jax.data.tables.shards import Line, header_of
from sage_jax.telling import line

_DELIMITERS = ",;\t|"
_LARGEST = 2**27  # Characters of a cell; the module's own limit is 131,072.


def read_json_lines(path: Path) -> list[Line]:
    """A row for each line, plain or gzipped; see `json_lines` for what is told of other files."""
    try:
        return [_object(text, n) for n, text in enumerate(json_lines.read_lines(path), 1)]
    except json_lines.JsonLinesError as error:
        raise DataError(f"{path}: {error}") from error


def _object(text: bytes, number: int) -> Line:
    try:
        return Line(number, json_lines.read_object(text))
    except json_lines.JsonLinesError as error:
        return Line(number, {}, str(error))


def read_csv(path: Path, delimiter: str = "") -> list[Line]:
    """A row for each record behind the header, plain or gzipped, by the line it begins on.

    Args:
        path: the file, UTF-8.
        delimiter: between cells; by default a tab in .tsv files, else what the header holds of
            comma, semicolon, tab and bar.

    Raises:
        DataError: it is no such file, or its header names a column twice.
    """
    if len(delimiter) > 1 or (delimiter and delimiter in '"\r\n\0'):
        raise DataError(
            f"task.delimiter: {delimiter!r} must be one character, and no quote or line end"
        )
    text = _text(path)
    mark = delimiter or ("\t" if ".tsv" in path.suffixes else _sniffed(text))
    largest = csv.field_size_limit(_LARGEST)  # Of the whole module: put back below.
    try:
        return [*_records(path, text, mark)]
    finally:
        csv.field_size_limit(largest)


def _text(path: Path) -> str:
    try:
        data = json_lines.read_bytes(path)
        if fault := json_lines.other_kind(data):
            raise json_lines.JsonLinesError(fault)
        if data.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b'{"'):
            raise json_lines.JsonLinesError("this is JSON Lines; take `task: {use: jsonl}`")
        return data.decode("utf-8-sig")
    except json_lines.JsonLinesError as error:
        raise DataError(f"{path}: {error}") from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: not UTF-8: {error.reason} at byte {error.start}; save it again as UTF-8"
        ) from error


def _sniffed(text: str) -> str:
    """The delimiter of the first line: those below are full of commas that delimit nothing."""
    header = text.lstrip("\r\n").partition("\n")[0].rstrip("\r")
    try:
        return csv.Sniffer().sniff(header, delimiters=_DELIMITERS).delimiter
    except csv.Error:  # a single column
        return ","


def _records(path: Path, text: str, delimiter: str) -> Iterator[Line]:
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=delimiter,
        strict=True,
        skipinitialspace=delimiter != " ",  # A quote may follow it.
    )
    header: list[str] = []
    begins = 1
    try:
        for cells in reader:
            if header and cells:
                yield _record(header, cells, begins)
            elif cells:
                header = header_of(path, [cell.strip() for cell in cells])
            begins = reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            f"{path}, line {begins}: no row of a CSV table: {line(error)}; a quote inside quotes "
            "is written twice"
        ) from error


def _record(header: list[str], cells: list[str], number: int) -> Line:
    if len(cells) != len(header):
        return Line(number, {}, f"has {len(cells)} cells, and the header {len(header)}")
    # pandas writes its index as a column without a name.
    return Line(number, {name: cell for name, cell in zip(header, cells, strict=True) if name})
