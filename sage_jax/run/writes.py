"""Writes that a run can do without: their failure is told and training goes on."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from sage_jax.paths import PathError
from sage_jax.run.console import warn


@contextlib.contextmanager
def best_effort(path: Path) -> Iterator[None]:
    """Tell of a full disk, a read-only folder or a bucket that is gone, and go on.

    Only around what no later step reads. Metrics, checkpoints and evaluations end the run instead,
    which then goes on from its last checkpoint once they can be written.
    """
    try:
        yield
    except (OSError, PathError) as error:
        warn(f"{path}: not written ({error}); going on without it")
