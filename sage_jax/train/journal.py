"""The metrics file: one JSON object a step, never a step twice and none left out."""

import json
import math
import os
from pathlib import Path
from typing import Any

from sage_jax.evaluate.files import read_json_lines, write_atomically
from sage_jax.parallel import hosts
from sage_jax.paths import is_remote


class Journal:
    """Appends lines to metrics.jsonl, beginning after the step that a run resumes from.

    Of several processes only the first writes.

    Attributes:
        before: the entries of the steps done so far; of the first process alone.
    """

    def __init__(self, path: Path, *, done: int):
        """Cut off what lies beyond `done` steps, to be made again, and open for appending."""
        self._file = None
        self.before: list[dict[str, Any]] = []
        if not hosts.is_main():
            return
        self.before = [entry for _, entry in _entries(path) if entry["step"] <= done]
        kept = "".join(_line(entry) for entry in self.before)
        write_atomically(path, kept.encode())
        self._file = _Object(path, kept) if is_remote(path) else _File(path)

    def write(self, entry: dict[str, Any]) -> None:
        """Append one step's metrics and hand them to the disk or bucket."""
        if self._file is not None:
            self._file.append(_line(entry))

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_) -> None:
        if self._file is not None:
            self._file.close()


class _File:
    """A file on this machine."""

    def __init__(self, path: Path):
        # Unbuffered: what did not reach a full disk must not be tried again when closing.
        self._file = path.open("ab", buffering=0)

    def append(self, line: str) -> None:
        rest = memoryview(line.encode())
        while rest:
            rest = rest[self._file.write(rest) :]
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


class _Object:
    """An object in a bucket, which cannot be appended to and is written anew at each step.

    After thousands of steps these are a few megabytes, little beside the step.
    """

    def __init__(self, path: Path, text: str):
        self._path, self._text = path, text

    def append(self, line: str) -> None:
        self._text += line
        write_atomically(self._path, self._text.encode())

    def close(self) -> None:
        pass  # Every line is there already.


def _entries(path: Path) -> list[tuple[int, dict]]:
    return read_json_lines(path) if path.is_file() else []


def _line(entry: dict[str, Any]) -> str:
    # JSON has no NaN or infinity; null says "no such number" to every reader.
    finite = {k: None if _is_odd(v) else v for k, v in entry.items()}
    return json.dumps(finite, allow_nan=False) + "\n"


def _is_odd(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)
