"""Files of JSON Lines, plain or gzipped, told apart from what is often taken for one."""

import contextlib
import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sage_jax import json_text
from sage_jax.telling import line

_GZIP = b"\x1f\x8b"
_MARK = b"\xef\xbb\xbf"
_HEAD = 1 << 16  # Bytes by which a large file is known.
_UNPACK = "unpack it and name the .jsonl file in it"
_RESAVE = "save it again as UTF-8"
_PARQUET = (
    "a Parquet file; make JSON Lines of it: python -c \"import pandas; pandas.read_parquet('IN')"
    ".to_json('OUT.jsonl', orient='records', lines=True, force_ascii=False)\", or read it as it is "
    "by `task: {use: parquet}`"
)
_ROWS = "write its rows as JSON Lines, one object a line"
# By how a file begins.
_KINDS: list[tuple[bytes, str]] = [
    (b"PAR1", _PARQUET),
    (b"ARROW1", f"an Arrow file; {_ROWS}"),
    (b"\xff\xff\xff\xff", f"an Arrow file; {_ROWS}"),
    (b"Obj\x01", f"an Avro file; {_ROWS}"),
    (b"ORC", f"an ORC file; {_ROWS}"),
    (b"SQLite format 3\0", f"an SQLite database; {_ROWS}"),
    (b"\x89HDF", f"an HDF5 file; {_ROWS}"),
    (b"\x93NUMPY", f"a NumPy array; {_ROWS}"),
    (b"\x80\x03", f"a pickle, which is never read; {_ROWS}"),
    (b"\x80\x04", f"a pickle, which is never read; {_ROWS}"),
    (b"\x80\x05", f"a pickle, which is never read; {_ROWS}"),
    (b"PK\x03\x04", f"a zip archive (or an Excel sheet); {_UNPACK}"),
    (b"7z\xbc\xaf", f"a 7-Zip archive; {_UNPACK}"),
    (b"BZh", "compressed by bzip2; unpack it, or compress it with gzip"),
    (b"\xfd7zXZ", "compressed by xz; unpack it, or compress it with gzip"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd; unpack it, or compress it with gzip"),
    (b"\x04\x22\x4d\x18", "compressed by LZ4; unpack it, or compress it with gzip"),
    (b"%PDF", "a PDF"),
    (b"GGUF", "a GGUF model"),
    (b"\xff\xfe\0\0", f"text in UTF-32; {_RESAVE}"),
    (b"\xff\xfe", f"text in UTF-16; {_RESAVE}"),
    (b"\xfe\xff", f"text in UTF-16; {_RESAVE}"),
    (b"version https://git-lfs", "a Git LFS pointer and not the file itself: git lfs pull"),
    (b"/annex/objects/", "a git-annex pointer and not the file itself: git annex get"),
]
_PAGE = "a web page, as comes in the place of a file that needs a login or is not there"
_PAGES = (b"<!doctype", b"<html", b"<?xml", b"<error", b"<head")
_TAR = (257, b"ustar")


class JsonLinesError(ValueError):
    """A file that holds no JSON Lines; the message says what it is, in one line."""


def read_lines(path: Path) -> list[bytes]:
    """The lines of a file, the byte order mark and the end of the last line left out.

    What is gzipped is known by its first bytes, whatever its name.

    Raises:
        JsonLinesError: the file cannot be read, or is of another kind.
    """
    data = read_bytes(path)
    if fault := _fault(data):
        raise JsonLinesError(fault)
    # Split at line feeds alone: other separators may stand inside a JSON string.
    lines = data.removeprefix(_MARK).split(b"\n")
    return lines[:-1] if lines[-1] == b"" else lines


def each_line(path: Path) -> Iterator[bytes]:
    """The same lines one by one, of a file that may be larger than memory.

    Raises:
        JsonLinesError: as `read_lines`; a file that is cut off yields what stands before that.
    """
    with _explained(), path.open("rb") as raw:
        gzipped = path.suffix == ".gz" or raw.read(2) == _GZIP
        raw.seek(0)
        file = gzip.GzipFile(fileobj=raw) if gzipped else raw
        if fault := _fault(file.read(_HEAD)):
            raise JsonLinesError(fault)
        file.seek(0)
        for number, one in enumerate(file):
            yield one.removesuffix(b"\n").removeprefix(b"" if number else _MARK)


def read_object(text: bytes) -> dict[str, Any]:
    """The object in a line, none of whose fields is given twice.

    Raises:
        JsonLinesError: it holds none; says why, but not which line it is.
    """
    if not text.strip():
        raise JsonLinesError("the line is blank; give one JSON object per line")
    try:
        row = json.loads(text.decode("utf-8"), object_pairs_hook=_unique, parse_int=json_text.whole)
    except UnicodeDecodeError as error:
        raise JsonLinesError(f"not UTF-8: {error.reason} at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise JsonLinesError(f"not JSON: {error.msg} at column {error.colno}") from error
    except RecursionError as error:
        raise JsonLinesError("not JSON that can be read: nested too deeply") from error
    except JsonLinesError:  # of a field given twice
        raise
    except ValueError as error:  # Python reads no number of thousands of digits.
        raise JsonLinesError(f"not JSON that can be read: {line(error)}") from error
    if not isinstance(row, dict):
        written = json.dumps(row)
        short = written if len(written) <= 60 else f"{written[:60]}..."
        raise JsonLinesError(f"must be a JSON object, got {short}")
    return row


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise JsonLinesError(f"field {twice!r} is given twice")
    return row


def read_bytes(path: Path) -> bytes:
    """What a file holds, unpacked where it is gzipped.

    Raises:
        JsonLinesError: it cannot be read.
    """
    with _explained():
        data = path.read_bytes()
        return gzip.decompress(data) if path.suffix == ".gz" or data.startswith(_GZIP) else data


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Says of a file that cannot be read why, in one line."""
    try:
        yield
    except JsonLinesError:
        raise
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise JsonLinesError(f"not a whole gzip file: {line(error)}") from error
    except IsADirectoryError as error:
        raise JsonLinesError(f"cannot be read: {line(error)}; name a file in it") from error
    except (OSError, ValueError) as error:  # also a name that no file can have
        raise JsonLinesError(f"cannot be read: {line(error)}") from error


def _fault(data: bytes) -> str:
    """What a file is that is no JSON Lines; empty where that cannot be told from its beginning."""
    return other_kind(data) or _shape(data)


def other_kind(data: bytes) -> str:
    """What a file is that is no text, or no text of rows; empty where nothing says so."""
    if kind := next((kind for begins, kind in _KINDS if data.startswith(begins)), ""):
        return f"this is {kind}"
    if data.lstrip()[:10].lower().startswith(_PAGES):
        return f"this is {_PAGE}"
    if data[_TAR[0] :].startswith(_TAR[1]):
        return f"this is a tar archive; {_UNPACK}"
    return ""


def _shape(data: bytes) -> str:
    """What text is whose first line is no JSON object."""
    first, _, rest = data.removeprefix(_MARK).lstrip().partition(b"\n")
    if not first or isinstance(_value(first), dict):
        return ""
    whole = _value(first + b"\n" + rest)
    if isinstance(whole, list) and whole and isinstance(whole[0], dict):
        return f"this is one JSON array of {len(whole)}; write one object a line, without commas"
    if isinstance(whole, dict):
        return "this is one JSON object over several lines; write one object a line"
    if b"\r" in first.rstrip(b"\r"):
        return "its lines end in carriage returns alone; end them in line feeds"
    return _table(first)


def _table(first: bytes) -> str:
    """Whether a line is the header of a table, which names at least two columns we know."""
    for name, mark in (("CSV", b","), ("TSV", b"\t"), ("CSV", b";")):
        columns = {column.strip(b' "\r').lower() for column in first.split(mark)}
        if len(columns & _COLUMNS) > 1:
            return f"this is a {name} table; {_ROWS}, or read it as it is by `task: {{use: csv}}`"
    return ""


_COLUMNS = {b"id", b"problem", b"question", b"prompt", b"answer", b"solution", b"source", b"gold",
            b"completion", b"response"}  # fmt: skip


def _value(text: bytes) -> object:
    try:
        return json_text.read(text)
    except ValueError:
        return None
