"""The metrics file: one JSON object a step, never a step twice and none left out."""

import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sage_jax.files import read_json_lines, write_atomically
from sage_jax.parallel import hosts
from sage_jax.paths import is_remote
from sage_jax.run.events import Event, StepDone, Stopped, TrainingStarted


class Journal:
    """A listener that appends lines to metrics.jsonl; of several processes only the first writes.

    Where training goes on, what lies beyond the steps done is cut off, to be made again.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path):
        self._path = path
        self._file: _File | _Object | None = None

    def __call__(self, event: Event) -> None:
        """Open the file, write a line, or close it."""
        match event:
            case TrainingStarted():
                self._open(event.history)
            case StepDone() if self._file is not None:
                self._file.append(_line(event.metrics))
            case Stopped() if self._file is not None:
                self._file.close()

    def _open(self, history: Sequence[Mapping[str, Any]]) -> None:
        if hosts.is_main():
            kept = "".join(map(_line, history))
            write_atomically(self._path, kept.encode())
            self._file = (_Object if is_remote(self._path) else _File)(self._path, kept)


def read_history(path: Path, *, done: int) -> list[dict[str, Any]]:
    """The entries of the first `done` steps; empty on processes other than the first."""
    if not hosts.is_main() or not path.is_file():
        return []
    return [entry for _, entry in read_json_lines(path) if entry["step"] <= done]


class _File:
    """A file on this machine."""

    def __init__(self, path: Path, _: str):
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


def _line(entry: Mapping[str, Any]) -> str:
    # JSON has no NaN or infinity; null says "no such number" to every reader.
    finite = {k: None if _is_odd(v) else v for k, v in entry.items()}
    return json.dumps(finite, allow_nan=False) + "\n"


def _is_odd(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)
