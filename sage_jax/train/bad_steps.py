"""Steps that NaN or infinity got into: counted, kept for a look, and the end of a run at last.

The update itself keeps the state as it was (see `update`). Here is what the host does about it.
"""

import io
import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sage_jax.evaluate.files import write_atomically
from sage_jax.learn.state import TrainState
from sage_jax.learn.update import INPUTS
from sage_jax.parallel import hosts, own_rows
from sage_jax.train.console import tell
from sage_jax.train.play import Played
from sage_jax.train.run_folder import RunFolder
from sage_jax.train.writes import spared


class BadStepError(RuntimeError):
    """A run that cannot go on, since its numbers are none."""


class BadSteps:
    """Looks at each step, and ends the run after `limit` bad ones in a row."""

    def __init__(self, folder: RunFolder, *, limit: int):
        self._folder, self._limit, self._row = folder, limit, 0

    def look(
        self, step: int, state: TrainState, entry: Mapping[str, Any], played: Played,
        odd: tuple[int, int],
    ) -> None:  # fmt: skip
        """Save the batch of a bad step and say what went bad first.

        Args:
            step: steps done, this one included.
            state: after it.
            entry: its metrics, the same on every process.
            played: what it learned from.
            odd: `BAD_INPUT` and `BAD_GRADIENT` of the step: places, or -1.

        Raises:
            BadStepError: after `limit` such steps in a row, or at once if the weights are bad,
                which no later step could mend.
        """
        self._row = self._row + 1 if entry["updates/skipped"] else 0
        if not self._row:
            return
        weight = first_bad_weight(state)
        name = weight or _first_bad(state, entry, played, odd)
        path = self._folder.bad_file(step)
        if hosts.is_main():
            with spared(path):
                write_atomically(path, _packed(played))
        tell(f"step {step}: {name} is not finite; update skipped, batch in {path}")
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


def _first_bad(
    state: TrainState, entry: Mapping[str, Any], played: Played, odd: tuple[int, int]
) -> str:
    """In the order in which numbers flow: rewards, log-probabilities, loss, gradient."""
    if not np.isfinite(played.outcome.judged.rewards).all():
        return "rewards"
    if odd[0] >= 0:
        return INPUTS[odd[0]]
    if not math.isfinite(entry["loss"]):
        return "loss"
    if odd[1] >= 0:
        paths = jax.tree_util.tree_flatten_with_path(state.trained)[0]
        return "gradient" + jax.tree_util.keystr(paths[odd[1]][0])
    return "norm of the gradient"


def _packed(played: Played) -> bytes:
    """The rows that this process holds as NumPy's .npz, without pickles."""
    rollout, rewards = played.rollout, played.outcome.judged.rewards
    rows = own_rows(rollout.tokens)[0]
    names = ("prompt_tokens", "prompt_mask", "tokens", "mask", "logps")
    arrays: dict[str, Any] = {name: own_rows(getattr(rollout, name))[1] for name in names}
    arrays |= {"rows": rows, "rewards": np.asarray(rewards)[rows], "ids": np.array(played.ids)}
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()
