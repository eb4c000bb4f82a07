"""Completions of an evaluation on disk, part by part: what is there is not sampled again."""

import contextlib
import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sage_jax.evaluate.completions import Completion, evaluation_parts, read_completions
from sage_jax.files import ResultError, write_atomically
from sage_jax.parallel import hosts
from sage_jax.run.console import warn
from sage_jax.run.writes import best_effort

_PLAN = "plan.json"


class Stored:
    """Parts of an evaluation in a folder, each a file that is whole or not there. A collective.

    Parts of another evaluation are thrown away.

    Args:
        folder: where they lie; None keeps nothing.
        plan: what the evaluation is. Parts of an equal plan are the same completions.
    """

    def __init__(self, folder: Path | None, plan: Mapping[str, Any]):
        self._folder = folder
        if folder is not None and hosts.is_main():
            self._begin(folder, json.dumps(plan, indent=1).encode())
        hosts.barrier()

    def read(self, number: int) -> list[Completion] | None:
        """A part, or None where it is not there, whole. A collective."""
        if self._folder is None:
            return None
        rows = _rows(self._file(number)) if hosts.is_main() else None
        return (rows or _rows(self._file(number))) if hosts.agree(bool(rows)) else None

    def write(self, number: int, rows: Sequence[Completion]) -> None:
        """Keep a part. Where the disk will not, the evaluation goes on without."""
        if self._folder is None or not hosts.is_main():
            return
        text = "".join(row.line() for row in rows)
        with best_effort(self._file(number)):
            # Without the time of day: the same completions are the same bytes.
            write_atomically(self._file(number), gzip.compress(text.encode(), mtime=0))

    def _file(self, number: int) -> Path:
        assert self._folder is not None
        return self._folder / f"part-{number:05d}.jsonl.gz"

    def _begin(self, folder: Path, plan: bytes) -> None:
        with contextlib.suppress(OSError):
            if (folder / _PLAN).read_bytes() == plan:
                return
        for path in evaluation_parts(folder):
            path.unlink()
        with best_effort(folder / _PLAN):
            write_atomically(folder / _PLAN, plan)


def _rows(path: Path) -> list[Completion] | None:
    """The rows of a part; None where there is none that can be read."""
    if not path.is_file():
        return None
    try:
        return [*read_completions(path)]
    except ResultError as error:
        warn(f"{error}; that part is sampled again")
        return None
