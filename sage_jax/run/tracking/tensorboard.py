"""TensorBoard: event files, written by tensorboardX, which needs no TensorFlow."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sage_jax.run.tracking.tracker import Opening, load, require
from sage_jax.yaml_text import write


class TensorBoard:
    """A folder of event files of a run; see `Tracker`.

    Args:
        log_dir: folder of folders of that kind, each named as its run; empty for `tensorboard/` in
            the run's.
    """

    title = "TensorBoard"

    def __init__(self, *, log_dir: str = ""):
        require("tensorboardX", "tensorboardX")
        self.home = self._log_dir = log_dir

    def open(self, run: Opening) -> str:
        """Write the config first; the id is the folder."""
        own = Path(self._log_dir) / run.name if self._log_dir else run.folder / "tensorboard"
        self._folder = str(own)
        self._writer = self._write()
        if not run.id:
            self._writer.add_text("config", _block(write(dict(run.config))), 0)
        return self._folder

    def rewind(self, step: int) -> bool:
        """Purge: readers drop what came before in the files and is of later steps."""
        self._writer.close()
        self._writer = self._write(purge_step=step + 1)
        return True

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Scalars, on disk at once: an end without warning loses no step."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def table(self, step: int, rows: Sequence[Mapping[str, Any]]) -> None:
        """One text, since there are no tables."""
        self._writer.add_text("completions", "\n\n---\n\n".join(map(_shown, rows)), step)
        self._writer.flush()

    def files(self, paths: Sequence[Path]) -> None:
        """There is no place for any."""

    def close(self, *, failed: bool) -> None:
        """Close the files."""
        self._writer.close()

    def _write(self, **options: int) -> Any:
        # Files are named by the second, and a second one of that name would replace the first.
        own = f".{time.time_ns()}"
        return load("tensorboardX").SummaryWriter(self._folder, filename_suffix=own, **options)


def _shown(row: Mapping[str, Any]) -> str:
    """A completion as Markdown, in which nothing of its text counts as markup."""
    return "\n\n".join(f"**{name}**\n\n{_block(str(value))}" for name, value in row.items())


def _block(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())
