"""Trackio."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sage_jax.run.tracking.tracker import Opening, load, require


class Trackio:
    """A run of Trackio; see `Tracker`.

    It goes on with the newest run of a name, so that the name gets a few letters that are its own.

    Args:
        project: of the run.
        group: of runs that belong together.
        space_id: ORG/NAME of a Space; empty for this machine.
    """

    title = "Trackio"

    def __init__(self, *, project: str, group: str = "", space_id: str = ""):
        require("trackio", "trackio")
        self.home = f"{space_id}/{project}"
        self._where = {"project": project, "group": group or None, "space_id": space_id or None}
        self._new = os.urandom(3).hex()

    def open(self, run: Opening) -> str:
        """Begin or go on with the run of that name."""
        self._run = load("trackio").init(
            **self._where,
            name=run.id or f"{run.name}-{self._new}",
            config=dict(run.config),
            resume="allow",
            embed=False,
            auto_log_gpu=False,
            auto_log_cpu=False,
        )
        return self._run.name

    def rewind(self, step: int) -> bool:
        """It takes nothing back."""
        return False

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Figures of a step."""
        self._run.log(dict(values), step=step)

    def table(self, step: int, rows: Sequence[Mapping[str, Any]]) -> None:
        """A table of every step that has one."""
        data = [list(row.values()) for row in rows]
        table = load("trackio").Table(columns=list(rows[0]), data=data)
        self._run.log({"completions": table}, step=step)

    def files(self, paths: Sequence[Path]) -> None:
        """One artifact."""
        artifact = load("trackio").Artifact(name=f"results-{self._run.name}", type="results")
        for path in paths:
            artifact.add_file(str(path), name=f"{path.parent.name}/{path.name}")
        self._run.log_artifact(artifact)

    def close(self, *, failed: bool) -> None:
        """Send what is left."""
        self._run.finish()
