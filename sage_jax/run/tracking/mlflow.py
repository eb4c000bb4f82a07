"""MLflow, by its client, which leaves the process's own settings as they are."""

import json
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sage_jax.evaluate.report.tables import flatten
from sage_jax.run.tracking.tracker import Opening, load, require

_BATCH = 100  # Params that a server takes at once.
_LONGEST = 6000  # Characters of one.
_TABLES = "mlflow.loggedArtifacts"  # Tag by which its pages find tables.


class MLflow:
    """A run of MLflow; see `Tracker`. For the arguments see `parts.mlflow`."""

    title = "MLflow"

    def __init__(self, *, experiment: str, uri: str = "", tags: Sequence[str] = ()):
        require("mlflow", "mlflow-skinny")
        if re.search(r"://[^/@]*:[^/@]*@", uri):
            raise ValueError(
                "uri: has a password in it, which a config is no place for: set "
                "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
            )
        self.home = f"{uri} {experiment}"
        self._experiment, self._uri, self._tags = experiment, uri, tags

    def open(self, run: Opening) -> str:
        """Begin or go on with the run of that id."""
        self._client = load("mlflow").MlflowClient(tracking_uri=self._uri or None)
        if run.id:
            self._id = run.id
            self._client.update_run(run.id, status="RUNNING")
        else:
            tags = dict.fromkeys(self._tags, "true")
            created = self._client.create_run(self._home(), run_name=run.name, tags=tags)
            self._id = created.info.run_id
            self._params(run.config)
        return self._id

    def rewind(self, step: int) -> bool:
        """It takes nothing back."""
        return False

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Figures of a step."""
        metric, now = load("mlflow.entities").Metric, time.time_ns() // 1_000_000
        found = [metric(_name(name), value, now, step) for name, value in values.items()]
        self._client.log_batch(self._id, metrics=found)

    def table(self, step: int, rows: Sequence[Mapping[str, Any]]) -> None:
        """An artifact in the form of its `log_table`, which needs pandas."""
        name = f"completions/step-{step:06d}.json"
        table = {"columns": list(rows[0]), "data": [list(row.values()) for row in rows]}
        self._client.log_text(self._id, json.dumps(table), name)
        known = self._client.get_run(self._id).data.tags.get(_TABLES, "[]")
        tables = [*json.loads(known), {"path": name, "type": "table"}]
        self._client.set_tag(self._id, _TABLES, json.dumps(tables))

    def files(self, paths: Sequence[Path]) -> None:
        """Artifacts."""
        for path in paths:
            self._client.log_artifact(self._id, str(path), path.parent.name)

    def close(self, *, failed: bool) -> None:
        """Say how it ended."""
        self._client.set_terminated(self._id, "FAILED" if failed else "FINISHED")

    def _home(self) -> str:
        found = self._client.get_experiment_by_name(self._experiment)
        return found.experiment_id if found else self._client.create_experiment(self._experiment)

    def _params(self, config: Mapping[str, Any]) -> None:
        param = load("mlflow.entities").Param
        found = [param(k, str(v)[:_LONGEST]) for k, v in flatten(config).items()]
        for first in range(0, len(found), _BATCH):
            self._client.log_batch(self._id, params=found[first : first + _BATCH])


def _name(name: str) -> str:
    """A metric's name in the letters that MLflow takes.

    >>> _name("eval/pass@8"), _name("eval/pass^8")
    ('eval/pass_at_8', 'eval/pass_hat_8')
    """
    named = name.replace("@", "_at_").replace("^", "_hat_")
    return re.sub(r"[^\w.:/ -]", "_", named, flags=re.ASCII)
