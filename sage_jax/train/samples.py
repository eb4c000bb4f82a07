"""Completions written down for people to read."""

import json
from pathlib import Path

import jax
import numpy as np

from sage_jax.data.tasks import Task
from sage_jax.evaluate.files import write_atomically
from sage_jax.parallel import own_rows
from sage_jax.rollout import Finish
from sage_jax.train.dynamic_sampling import Batch

_PROMPTS, _EACH = 8, 4  # Prompts written, and completions of each.


def write(path: Path, step: int, batch: Batch, task: Task) -> None:
    """Write the first few groups that this process holds as JSON Lines."""
    rollout = batch.rollout
    prompts = _unpadded(rollout.prompt_tokens, rollout.prompt_mask)
    completions = _unpadded(rollout.tokens, rollout.mask)
    groups = sorted(prompts)[:_PROMPTS]
    size = rollout.group_size
    rows = [group * size + one for group in groups for one in range(min(_EACH, size))]
    lines = [
        json.dumps({
            "step": step,
            "id": batch.prompts.ids[row // size],
            "prompt": task.spell(prompts[row // size]),
            "completion": task.spell(completions[row]),
            **_verdict(batch, task, row),
        })
        for row in rows
    ]  # fmt: skip
    write_atomically(path, "".join(line + "\n" for line in lines).encode())


def _unpadded(tokens: jax.Array, mask: jax.Array) -> dict[int, np.ndarray]:
    """The real tokens of every row that this process holds, by row."""
    rows, own = own_rows(tokens)
    kept = own_rows(mask)[1] > 0
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
