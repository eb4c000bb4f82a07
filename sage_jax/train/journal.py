"""The metrics file: one JSON object a step, never a step twice and none left out."""

import json
import math
import os
from pathlib import Path
from typing import Any

from sage_jax.evaluate.files import read_json_lines, write_atomically
from sage_jax.parallel import hosts


class Journal:
    """Appends lines to metrics.jsonl, beginning after the step that a run resumes from.

    Of several processes only the first writes.
    """

    def __init__(self, path: Path, *, done: int):
        """Cut off what lies beyond `done` steps, to be made again, and open for appending."""
        self._file = None
        if not hosts.is_main():
            return
        kept = [entry for _, entry in _entries(path) if entry["step"] <= done]
        write_atomically(path, "".join(_line(entry) for entry in kept).encode())
        self._file = path.open("a", encoding="utf-8")

    def write(self, entry: dict[str, Any]) -> None:
        """Append one step's metrics and hand them to the disk."""
        if self._file is not None:
            self._file.write(_line(entry))
            self._file.flush()
            os.fsync(self._file.fileno())

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_) -> None:
        if self._file is not None:
            self._file.close()


def _entries(path: Path) -> list[tuple[int, dict]]:
    return read_json_lines(path) if path.is_file() else []


def _line(entry: dict[str, Any]) -> str:
    # JSON has no NaN or infinity; null says "no such number" to every reader.
    finite = {k: None if _is_odd(v) else v for k, v in entry.items()}
    return json.dumps(finite, allow_nan=False) + "\n"


def _is_odd(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)
