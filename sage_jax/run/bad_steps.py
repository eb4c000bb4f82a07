"""Steps that NaN or infinity got into: counted, kept for a look, and the end of a run at last.

The update itself keeps the state as it was (see `update`). Here is what the host does about it.
"""

import io
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sage_jax.files import write_atomically
from sage_jax.learn.non_finite import INPUTS
from sage_jax.learn.state import TrainState
from sage_jax.parallel import hosts, local_rows
from sage_jax.run.console import warn
from sage_jax.run.dynamic_sampling import Batch
from sage_jax.run.events import Event, StepDone
from sage_jax.run.run_folder import RunFolder
from sage_jax.run.writes import best_effort
from sage_jax.telling import UserError


class BadStepError(UserError, RuntimeError):
    """A run that cannot go on, since its numbers are none."""


class BadSteps:
    """A listener that looks at each step, and ends the run after `limit` bad ones in a row."""

    def __init__(self, folder: RunFolder, *, limit: int):
        self._folder, self._limit, self._row = folder, limit, 0

    def __call__(self, event: Event) -> None:
        """Save the batch of a bad step and say what went bad first.

        Raises:
            BadStepError: after `limit` such steps in a row, or at once if the weights are bad,
                which no later step could mend.
        """
        if not isinstance(event, StepDone):
            return
        self._row = self._row + 1 if event.metrics["updates/skipped"] else 0
        if self._row:
            self._look(event, event.step)

    def _look(self, event: StepDone, step: int) -> None:
        weight = first_bad_weight(event.state)
        name = weight or _first_bad(event)
        path = self._folder.bad_file(step)
        if hosts.is_main():
            with best_effort(path):
                write_atomically(path, _packed(event.batch))
        warn(f"step {step}: {name} is not finite; update skipped, batch in {path}")
        if weight or self._row >= self._limit:
            raise BadStepError(
                f"step {step}: stopped after {self._row} bad steps in a row; first went bad: "
                f"{name}; batches are in {path.parent}"
            )


def refuse_bad_weights(step: int, state: TrainState) -> None:
    """Raise `BadStepError` rather than save weights or moments that are not finite."""
    name = first_bad_weight(state)
    if name:
        raise BadStepError(f"step {step}: {name} is not finite; nothing was saved")


def first_bad_weight(state: TrainState) -> str | None:
    """The first array of the weights, then the optimiser's, with NaN or infinity, by its path."""
    for kind, tree in (("weights", state.trained), ("optimizer", state.opt_state)):
        leaves = jax.tree_util.tree_flatten_with_path(tree)[0]
        flags = jax.device_get(_odd([leaf for _, leaf in leaves]))
        for (path, _), odd in zip(leaves, flags, strict=True):
            if odd:
                return kind + jax.tree_util.keystr(path)
    return None


@jax.jit
def _odd(leaves: list[jax.Array]) -> list[jax.Array]:
    # Scalars, which every one of several processes holds whole.
    return [~jnp.isfinite(leaf).all() for leaf in leaves]


def _first_bad(event: StepDone) -> str:
    """In the order in which numbers flow: rewards, log-probabilities, loss, gradient."""
    found = event.non_finite
    if not np.isfinite(event.batch.rewards.result().judged.rewards).all():
        return "rewards"
    if found.terms >= 0:
        return INPUTS[int(found.terms)]
    if not math.isfinite(event.metrics["loss"]):
        return "loss"
    if found.gradient >= 0:
        paths = jax.tree_util.tree_flatten_with_path(event.state.trained)[0]
        return "gradient" + jax.tree_util.keystr(paths[int(found.gradient)][0])
    return "norm of the gradient"


def _packed(batch: Batch) -> bytes:
    """The rows that this process holds as NumPy's .npz, without pickles."""
    rollout, rewards = batch.rollout, batch.rewards.result().judged.rewards
    rows = local_rows(rollout.tokens)[0]
    names = ("prompt_tokens", "prompt_mask", "tokens", "mask", "logps")
    arrays: dict[str, Any] = {name: local_rows(getattr(rollout, name))[1] for name in names}
    arrays |= {
        "rows": rows,
        "rewards": np.asarray(rewards)[rows],
        "ids": np.array(batch.prompts.ids),
    }
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()
