"""Completions written down for people to read."""

import json
from typing import Any

import jax
import numpy as np

from sage_jax.data.tasks import Task
from sage_jax.files import write_atomically
from sage_jax.parallel import hosts, local_rows
from sage_jax.rollout import Finish
from sage_jax.run.dynamic_sampling import Batch
from sage_jax.run.events import Event, StepDone
from sage_jax.run.run_folder import RunFolder
from sage_jax.run.writes import best_effort

_PROMPTS, _EACH = 8, 4  # Prompts written, and completions of each.


class Samples:
    """A listener that writes samples where they are due: the first few groups of a step.

    Of several processes only the first writes, of the groups that it holds.

    Args:
        folder: of the run.
        every: steps from one to the next.
        last: step after which some are written too.
    """

    def __init__(self, folder: RunFolder, *, every: int, last: int):
        self._folder, self._every, self._last = folder, every, last

    def __call__(self, event: Event) -> None:
        """Write those of a step."""
        if isinstance(event, StepDone) and hosts.is_main() and self._is_due(event.step):
            path = self._folder.samples_file(event.step)
            with best_effort(path):
                lines = [json.dumps(sample) + "\n" for sample in samples_of(event)]
                write_atomically(path, "".join(lines).encode())

    def _is_due(self, step: int) -> bool:
        return is_due(step, every=self._every, last=self._last)


def is_due(step: int, *, every: int, last: int) -> bool:
    """Whether samples are, after a step."""
    return (step - 1) % every == 0 or step == last


def samples_of(event: StepDone) -> list[dict[str, Any]]:
    """The samples of a step, each with the same columns, of the groups that this process holds."""
    batch, task = event.batch, event.task
    rollout = batch.rollout
    prompts = _unpadded(rollout.prompt_tokens, rollout.prompt_mask)
    completions = _unpadded(rollout.tokens, rollout.mask)
    size = rollout.group_size
    groups = sorted(prompts)[:_PROMPTS]
    rows = [group * size + one for group in groups for one in range(min(_EACH, size))]
    return [
        {
            "step": event.step,
            "id": batch.prompts.ids[row // size],
            "prompt": task.spell(prompts[row // size]),
            "completion": task.spell(completions[row]),
            **_verdict(batch, task, row),
        }
        for row in rows
    ]


def _unpadded(tokens: jax.Array, mask: jax.Array) -> dict[int, np.ndarray]:
    """The real tokens of every row that this process holds, by row."""
    rows, own = local_rows(tokens)
    kept = local_rows(mask)[1] > 0
    return {int(row): ids[keep] for row, ids, keep in zip(rows, own, kept, strict=True)}


def _verdict(batch: Batch, task: Task, row: int) -> dict:
    outcome = batch.rewards.result()
    judged = outcome.judged
    return {
        "reward": float(judged.rewards[row]),
        "reason": judged.reasons[row],
        "gold": task.gold(batch.prompts.ids[row // batch.rollout.group_size]),
        "finish": Finish(int(outcome.finish[row])).name.lower(),
    }
