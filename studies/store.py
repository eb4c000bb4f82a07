"""Results as lines of JSON that several processes append to, and that a study goes on from."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sage_jax.files import write_atomically

NAMED = ("setting", "base", "seed", "arm", "constants", "kl_coef", "learning_rate")
"""The fields that say which run a line is of."""


def read(path: Path) -> list[dict[str, Any]]:
    """All whole lines; one that a killed process left half-written is skipped."""
    return [*_lines(path)] if path.exists() else []


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text().splitlines():
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            continue


def append(path: Path, row: Mapping[str, Any]) -> None:
    """Add a line in one write, behind whatever a killed process left."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torn = path.exists() and path.stat().st_size > 0 and path.read_bytes()[-1:] != b"\n"
    with path.open("a") as file:
        file.write("\n" * torn + json.dumps(row) + "\n")


def write(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """All lines anew, whole or not at all."""
    write_atomically(path, "".join(json.dumps(row) + "\n" for row in rows).encode())


def name(row: Mapping[str, Any]) -> str:
    """Which run a row is of, as text that two rows of one run share."""
    return json.dumps([row[key] for key in NAMED], sort_keys=True)
