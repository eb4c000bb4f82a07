"""Reading and writing the small files of a run folder so that a crash never leaves half of one."""

import contextlib
import os
import tempfile
from pathlib import Path

from sage_jax import json_text
from sage_jax.paths import is_remote, write_object
from sage_jax.telling import OneLine, UserError


class ResultError(OneLine, UserError):
    """A run folder or a file in it that cannot be read as what it should be."""


def write_atomically(path: Path, data: bytes) -> None:
    """Puts `data` at `path` whole or not at all, replacing what was there.

    Raises:
        OSError: the folder cannot be written; nothing is left behind.
        PathError: the same of a folder in a bucket.
    """
    if is_remote(path):
        write_object(path, data)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        raise


def _entry(line: bytes, place: str) -> dict:
    try:
        entry = json_text.read(line)
    except ValueError as error:  # JSON errors and bad UTF-8 alike
        raise ResultError(f"{place}: not a JSON object ({error})") from error
    if not isinstance(entry, dict):
        raise ResultError(f"{place}: must be a JSON object, got {type(entry).__name__}")
    return entry


def read_json_lines(path: Path) -> list[tuple[int, dict]]:
    """The JSON objects of a file, one a line, each with its line number from 1.

    A last line that lacks its newline and cannot be read was cut off by a crash, and is left out.

    Raises:
        ResultError: any other line that is not a JSON object; file and line are named.
    """
    lines = path.read_bytes().split(b"\n")
    entries = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            entries.append((number, _entry(line, f"{path}, line {number}")))
        except ResultError:
            if number < len(lines):
                raise
    return entries
