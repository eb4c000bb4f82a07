"""Problem files kept as TFDS ArrayRecord, under a name that says what is in them."""

import hashlib
from pathlib import Path

from sage_jax.data import preparing
from sage_jax.data.builders import Recipe
from sage_jax.data.jsonl import read_problems
from sage_jax.data.problem import DataError, Problem

_SPLIT = "problems"


def read_cached(
    path: str | Path, *, data_dir: str | Path, source_prefix: str | None = None
) -> list[Problem]:
    """Read a file as `read_problems` does, or what was kept of it. A collective.

    A file that was changed is kept anew, and never taken for what it was.

    Args:
        path: the file.
        data_dir: folder of what is kept.
        source_prefix: as in `read_problems`.

    Raises:
        DataError: as `read_problems`, and `preparing.read`.
    """
    recipe = Recipe(
        name=f"problems_{_fingerprint(Path(path), source_prefix)}",
        version="3.0.0",
        read=lambda _: {_SPLIT: read_problems(path, source_prefix=source_prefix)},
    )
    return preparing.read(recipe, data_dir=str(data_dir))[_SPLIT]


def _fingerprint(path: Path, source_prefix: str | None) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    begin = f"{source_prefix or ''}\0{path.suffix}\0{len(content)}\0"
    return hashlib.sha256(begin.encode() + content).hexdigest()[:16]
