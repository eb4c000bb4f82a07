"""Weights & Biases."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sage_jax.paths import is_remote
from sage_jax.run.tracking.tracker import Opening, load, require

_STEP = "train/global_step"  # As TRL's users have it on their axes.


class WandB:
    """A run of Weights & Biases; see `Tracker`. For the arguments see `parts.wandb`."""

    title = "W&B"

    def __init__(
        self, *, project: str, entity: str = "", group: str = "", tags: Sequence[str] = (),
        mode: str = "",
    ):  # fmt: skip
        require("wandb", "wandb")
        self.home = f"{entity}/{project}"
        self._where = {"project": project, "entity": entity or None, "group": group or None}
        self._where |= {"tags": tags or None, "mode": mode or None}
        # The same at every try, so that one that fails late leaves no second run behind.
        self._new = os.urandom(4).hex()

    def open(self, run: Opening) -> str:
        """Begin or go on with the run of that id; needs a key unless it is offline."""
        wandb = load("wandb")
        mode = self._where["mode"] or os.environ.get("WANDB_MODE", "online")
        # It would ask for one on the terminal, and wait.
        if mode == "online" and not wandb.login(prompt=False):
            raise ConnectionError("there is no API key: `wandb login`, or set WANDB_API_KEY")
        self._run = wandb.init(
            **self._where,
            id=run.id or self._new,
            resume="allow",
            name=run.name,
            config=dict(run.config),
            dir=None if is_remote(run.folder) else str(run.folder),
            # The console is the run's own, and all that is in it is in the run folder.
            settings=wandb.Settings(console="off"),
        )
        self._run.define_metric(_STEP)
        self._run.define_metric("*", step_metric=_STEP)
        return self._run.id

    def rewind(self, step: int) -> bool:
        """It takes nothing back."""
        return False

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """A row of its history."""
        self._run.log({**values, _STEP: step})

    def table(self, step: int, rows: Sequence[Mapping[str, Any]]) -> None:
        """A table of every step that has one."""
        data = [list(row.values()) for row in rows]
        table = load("wandb").Table(columns=list(rows[0]), data=data)
        self._run.log({"completions": table, _STEP: step})

    def files(self, paths: Sequence[Path]) -> None:
        """One artifact."""
        artifact = load("wandb").Artifact(f"results-{self._run.id}", type="results")
        for path in paths:
            artifact.add_file(str(path), name=f"{path.parent.name}/{path.name}")
        self._run.log_artifact(artifact)

    def close(self, *, failed: bool) -> None:
        """Send what is left."""
        self._run.finish(exit_code=int(failed))
