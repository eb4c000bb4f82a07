"""What run folders hold, for tests that compare two runs."""

import json
from typing import Any

import numpy as np

from sage_jax.run.events import StepDone
from sage_jax.run.stop import StopRequest

CLOCKS = ("time", "seconds/", "tokens_per_s/", "memory/")
# Where an update is as small as a weight's last bit, the order of a sum decides whether it changes.
CHANGED: Any = {"rtol": 0, "atol": 1e-3}


class StopAt(StopRequest):
    """Asks to stop when it is looked at for the n-th time."""

    def __init__(self, count):
        super().__init__()
        self._left = count

    @property
    def requested(self):
        self._left -= 1
        return self._left < 0

    @requested.setter
    def requested(self, value):
        pass


def entries(folder) -> list[dict[str, Any]]:
    """The lines of a run's metrics, without what clocks and memory say."""
    lines = map(json.loads, folder.metrics_file.read_text().splitlines())
    return [{k: v for k, v in one.items() if not k.startswith(CLOCKS)} for one in lines]


def step_done(step: int, metrics=None, **fields: Any) -> StepDone:
    """A step as listeners are told of it; of what is not given there is nothing."""
    known = dict.fromkeys(("batch", "drawn", "state", "non_finite", "task"))
    return StepDone(step, metrics or {}, **(known | fields))  # type: ignore[arg-type]


def assert_close(left, right, **close) -> None:
    """Two sets of metrics are equal within bounds; the share of changed weights within its own."""
    assert left.keys() == right.keys()
    for name, value in left.items():
        bound = CHANGED if name == "updates/changed" else close
        np.testing.assert_allclose(value, right[name], **bound, err_msg=name)
