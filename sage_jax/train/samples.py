"""Completions written down for people to read."""

import json
from pathlib import Path

import numpy as np

from sage_jax.data.tasks import Task
from sage_jax.evaluate.files import write_atomically
from sage_jax.rollout import Finish
from sage_jax.train.play import Played

_PROMPTS, _EACH = 8, 4  # Prompts written, and completions of each.


def write(path: Path, step: int, played: Played, task: Task) -> None:
    """Write the first few groups of a batch as JSON Lines."""
    lines = [json.dumps(_entry(step, played, task, row)) for row in _rows(played)]
    write_atomically(path, "".join(line + "\n" for line in lines).encode())


def _rows(played: Played) -> list[int]:
    size = played.rollout.group_size
    prompts = min(_PROMPTS, len(played.prompts.ids))
    return [group * size + one for group in range(prompts) for one in range(min(_EACH, size))]


def _entry(step: int, played: Played, task: Task, row: int) -> dict:
    group = row // played.rollout.group_size
    rollout, id = played.rollout, played.prompts.ids[group]
    prompt = np.asarray(rollout.prompt_tokens[group])[np.asarray(rollout.prompt_mask[group])]
    completion = np.asarray(rollout.tokens[row])[np.asarray(rollout.mask[row]) > 0]
    return {
        "step": step,
        "id": id,
        "prompt": task.spell(prompt),
        "completion": task.spell(completion),
        "reward": float(played.judged.rewards[row]),
        "reason": played.judged.reasons[row],
        "gold": task.gold(id),
        "finish": Finish(int(rollout.finish[row])).name.lower(),
    }
